terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "region" { type = string }
variable "zone" { type = string }
variable "domain" { type = string }
variable "table" { type = string }

locals {
  name = "pay-${var.region}"
}

resource "aws_kms_key" "own" {
  description         = local.name
  enable_key_rotation = true
}

module "function" {
  source  = "../function"
  name    = local.name
  table   = "arn:aws:dynamodb:${var.region}:111122223333:table/${var.table}"
  key_arn = aws_kms_key.own.arn
}

resource "aws_api_gateway_rest_api" "own" {
  name = local.name
  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_resource" "payments" {
  rest_api_id = aws_api_gateway_rest_api.own.id
  parent_id   = aws_api_gateway_rest_api.own.root_resource_id
  path_part   = "payments"
}

resource "aws_api_gateway_method" "post" {
  rest_api_id   = aws_api_gateway_rest_api.own.id
  resource_id   = aws_api_gateway_resource.payments.id
  http_method   = "POST"
  authorization = "AWS_IAM"
}

resource "aws_api_gateway_integration" "post" {
  rest_api_id             = aws_api_gateway_rest_api.own.id
  resource_id             = aws_api_gateway_resource.payments.id
  http_method             = aws_api_gateway_method.post.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = module.function.invoke_arn
}

resource "aws_api_gateway_deployment" "own" {
  rest_api_id = aws_api_gateway_rest_api.own.id
  triggers = {
    redeployment = sha1(jsonencode([aws_api_gateway_method.post, aws_api_gateway_integration.post.uri]))
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/apigateway/${local.name}"
  retention_in_days = 365
}

resource "aws_api_gateway_stage" "live" {
  rest_api_id          = aws_api_gateway_rest_api.own.id
  deployment_id        = aws_api_gateway_deployment.own.id
  stage_name           = "live"
  xray_tracing_enabled = true
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = "$context.requestId $context.status"
  }
}

resource "aws_api_gateway_method_settings" "all" {
  rest_api_id = aws_api_gateway_rest_api.own.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  method_path = "*/*"
  settings {
    metrics_enabled        = true
    logging_level          = "ERROR"
    data_trace_enabled     = false
    throttling_burst_limit = 100
    throttling_rate_limit  = 50
  }
}

resource "aws_lambda_permission" "api" {
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.own.execution_arn}/live/POST/payments"
}

resource "aws_route53_health_check" "own" {
  fqdn              = "${aws_api_gateway_rest_api.own.id}.execute-api.${var.region}.amazonaws.com"
  port              = 443
  type              = "HTTPS"
  resource_path     = "/live/health"
  failure_threshold = 3
  request_interval  = 10
}

resource "aws_acm_certificate" "own" {
  domain_name       = var.domain
  validation_method = "DNS"
}

resource "aws_api_gateway_domain_name" "own" {
  domain_name              = var.domain
  regional_certificate_arn = aws_acm_certificate.own.arn
  security_policy          = "TLS_1_2"
  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_base_path_mapping" "own" {
  api_id      = aws_api_gateway_rest_api.own.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  domain_name = aws_api_gateway_domain_name.own.domain_name
}

resource "aws_route53_record" "own" {
  zone_id         = var.zone
  name            = var.domain
  type            = "A"
  set_identifier  = var.region
  health_check_id = aws_route53_health_check.own.id
  latency_routing_policy {
    region = var.region
  }
  alias {
    name                   = aws_api_gateway_domain_name.own.regional_domain_name
    zone_id                = aws_api_gateway_domain_name.own.regional_zone_id
    evaluate_target_health = true
  }
}

output "key_arn" { value = aws_kms_key.own.arn }
