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
  region                      = "eu-west-2"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "handlers" {
  type = map(string)
  default = {
    "$connect"    = "connect"
    "$disconnect" = "disconnect"
    "$default"    = "message"
    "send"        = "message"
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_dynamodb_table" "connections" {
  name         = "chat-connections"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
  ttl {
    attribute_name = "expires"
    enabled        = true
  }
}

resource "aws_iam_role" "handler" {
  for_each           = toset(concat(values(var.handlers), ["authorize"]))
  name               = "chat-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "logs" {
  for_each   = aws_iam_role.handler
  role       = each.value.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_iam_role_policy" "table" {
  for_each = aws_iam_role.handler
  role     = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:GetItem"]
        Resource = aws_dynamodb_table.connections.arn
      },
      {
        Effect   = "Allow"
        Action   = "execute-api:ManageConnections"
        Resource = "${aws_apigatewayv2_api.chat.execution_arn}/live/POST/@connections/*"
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "handler" {
  for_each          = aws_iam_role.handler
  name              = "/aws/lambda/chat-${each.key}"
  retention_in_days = 30
}

resource "aws_lambda_function" "handler" {
  for_each      = aws_iam_role.handler
  function_name = "chat-${each.key}"
  role          = each.value.arn
  package_type  = "Image"
  image_uri     = "111122223333.dkr.ecr.eu-west-2.amazonaws.com/chat:${each.key}"
  timeout       = 15
  environment {
    variables = { CONNECTIONS = aws_dynamodb_table.connections.id }
  }
}

resource "aws_apigatewayv2_api" "chat" {
  name                       = "chat"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}

resource "aws_apigatewayv2_authorizer" "token" {
  api_id           = aws_apigatewayv2_api.chat.id
  authorizer_type  = "REQUEST"
  authorizer_uri   = aws_lambda_function.handler["authorize"].invoke_arn
  identity_sources = ["route.request.querystring.token"]
  name             = "token"
}

resource "aws_apigatewayv2_integration" "handler" {
  for_each         = toset(values(var.handlers))
  api_id           = aws_apigatewayv2_api.chat.id
  integration_type = "AWS_PROXY"
  integration_uri  = aws_lambda_function.handler[each.key].invoke_arn
}

resource "aws_apigatewayv2_route" "chat" {
  for_each           = var.handlers
  api_id             = aws_apigatewayv2_api.chat.id
  route_key          = each.key
  authorization_type = each.key == "$connect" ? "CUSTOM" : "NONE"
  authorizer_id      = each.key == "$connect" ? aws_apigatewayv2_authorizer.token.id : null
  target             = "integrations/${aws_apigatewayv2_integration.handler[each.value].id}"
}

resource "aws_apigatewayv2_stage" "live" {
  api_id      = aws_apigatewayv2_api.chat.id
  name        = "live"
  auto_deploy = true
  default_route_settings {
    data_trace_enabled     = true
    logging_level          = "INFO"
    throttling_burst_limit = 500
    throttling_rate_limit  = 250
  }
}

resource "aws_lambda_permission" "api" {
  for_each      = aws_lambda_function.handler
  action        = "lambda:InvokeFunction"
  function_name = each.value.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.chat.execution_arn}/*"
}
