terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "stage" {
  default = "prod"
}

variable "issuer" {
  default = "https://login.example.com/"
}

locals {
  routes = {
    "GET /orders"         = { scopes = ["orders/read"] }
    "POST /orders"        = { scopes = ["orders/write"] }
    "GET /orders/{order}" = { scopes = ["orders/read"] }
    "GET /health"         = { scopes = [] }
  }
  tags = { Service = "orders", Stage = var.stage }
}

resource "aws_kms_key" "orders" {
  description             = "Orders"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags
}

resource "aws_dynamodb_table" "orders" {
  name                        = "orders-${var.stage}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "customer"
  range_key                   = "order"
  deletion_protection_enabled = true
  tags                        = local.tags

  dynamic "attribute" {
    for_each = toset(["customer", "order", "status"])
    content {
      name = attribute.value
      type = "S"
    }
  }

  global_secondary_index {
    name            = "by-status"
    hash_key        = "status"
    projection_type = "ALL"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.orders.arn
  }
}

module "handler" {
  source = "./modules/function"

  name = "orders-${var.stage}"
  environment = {
    TABLE = aws_dynamodb_table.orders.name
    STAGE = var.stage
  }
  statements = [
    {
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
      resources = [aws_dynamodb_table.orders.arn, "${aws_dynamodb_table.orders.arn}/index/by-status"]
    },
    {
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [aws_kms_key.orders.arn]
    },
  ]
  tags = local.tags
}

resource "aws_apigatewayv2_api" "orders" {
  name          = "orders-${var.stage}"
  protocol_type = "HTTP"
  tags          = local.tags

  cors_configuration {
    allow_origins = ["https://shop.example.com"]
    allow_methods = ["GET", "POST"]
  }
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  api_id           = aws_apigatewayv2_api.orders.id
  name             = "login"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    audience = ["orders"]
    issuer   = var.issuer
  }
}

resource "aws_apigatewayv2_integration" "handler" {
  api_id                 = aws_apigatewayv2_api.orders.id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.handler.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "all" {
  for_each = local.routes

  api_id               = aws_apigatewayv2_api.orders.id
  route_key            = each.key
  target               = "integrations/${aws_apigatewayv2_integration.handler.id}"
  authorization_type   = length(each.value.scopes) > 0 ? "JWT" : "NONE"
  authorizer_id        = length(each.value.scopes) > 0 ? aws_apigatewayv2_authorizer.jwt.id : null
  authorization_scopes = each.value.scopes
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/apigateway/orders-${var.stage}"
  retention_in_days = 400
  kms_key_id        = null
}

resource "aws_apigatewayv2_stage" "live" {
  api_id      = aws_apigatewayv2_api.orders.id
  name        = "$default"
  auto_deploy = true
  tags        = local.tags

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = jsonencode({ id = "$context.requestId", route = "$context.routeKey", status = "$context.status" })
  }

  default_route_settings {
    throttling_burst_limit = 200
    throttling_rate_limit  = 100
  }
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = module.handler.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.orders.execution_arn}/*/*"
}

output "url" {
  value = aws_apigatewayv2_stage.live.invoke_url
}
