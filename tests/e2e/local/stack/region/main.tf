terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "region" { type = string }
variable "name" { type = string }
variable "code" { type = string }
variable "table" { type = string }
variable "peer_bucket" { type = string }
variable "peer_key" { type = string }
variable "key_value" {
  type    = string
  default = null
}

data "aws_caller_identity" "me" {}

locals {
  account = data.aws_caller_identity.me.account_id
  root    = "arn:aws:iam::${local.account}:root"
}

# ---- keys -----------------------------------------------------------------------------------------------

resource "aws_kms_key" "key" {
  for_each                = toset(["data", "audit", "application"])
  description             = "${var.name} ${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = {
          ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${local.account}:*" }
        }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
      },
    ]
  })
}

resource "aws_kms_alias" "key" {
  for_each      = aws_kms_key.key
  name          = "alias/${var.name}-${each.key}"
  target_key_id = each.value.key_id
}

# ---- the audit bucket -----------------------------------------------------------------------------------

resource "aws_s3_bucket" "audit" {
  bucket        = "${var.name}-audit-${var.region}-${local.account}"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "audit" {
  bucket = aws_s3_bucket.audit.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "audit" {
  bucket = aws_s3_bucket.audit.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.key["audit"].arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "audit" {
  bucket                  = aws_s3_bucket.audit.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "audit" {
  bucket = aws_s3_bucket.audit.id
  rule { object_ownership = "BucketOwnerEnforced" }
}

resource "aws_s3_bucket_policy" "audit" {
  bucket     = aws_s3_bucket.audit.id
  depends_on = [aws_s3_bucket_public_access_block.audit]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.audit.arn, "${aws_s3_bucket.audit.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_s3_bucket_lifecycle_configuration" "audit" {
  bucket     = aws_s3_bucket.audit.id
  depends_on = [aws_s3_bucket_versioning.audit]
  rule {
    id     = "archive"
    status = "Enabled"
    filter {}
    transition {
      days          = 30
      storage_class = "GLACIER"
    }
    noncurrent_version_expiration { noncurrent_days = 90 }
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
}

resource "aws_iam_role" "replication" {
  name = "${var.name}-replication-${var.region}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "s3.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "replication" {
  name = "replicate"
  role = aws_iam_role.replication.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = aws_s3_bucket.audit.arn
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
        Resource = "${aws_s3_bucket.audit.arn}/*"
      },
      {
        Effect   = "Allow"
        Action   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
        Resource = "${var.peer_bucket}/*"
      },
      { Effect = "Allow", Action = "kms:Decrypt", Resource = aws_kms_key.key["audit"].arn },
      { Effect = "Allow", Action = ["kms:Encrypt", "kms:GenerateDataKey"], Resource = var.peer_key },
    ]
  })
}

resource "aws_s3_bucket_replication_configuration" "audit" {
  bucket     = aws_s3_bucket.audit.id
  role       = aws_iam_role.replication.arn
  depends_on = [aws_s3_bucket_versioning.audit]
  rule {
    id       = "to-peer"
    status   = "Enabled"
    priority = 1
    filter {}
    delete_marker_replication { status = "Enabled" }
    source_selection_criteria {
      replica_modifications { status = "Enabled" }
      sse_kms_encrypted_objects { status = "Enabled" }
    }
    destination {
      bucket        = var.peer_bucket
      storage_class = "STANDARD"
      encryption_configuration { replica_kms_key_id = var.peer_key }
    }
  }
}

# ---- the function ---------------------------------------------------------------------------------------

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}-payments"
  retention_in_days = 7
  kms_key_id        = aws_kms_key.key["audit"].arn
}

resource "aws_iam_role" "function" {
  name = "${var.name}-function-${var.region}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "function" {
  name = "payments"
  role = aws_iam_role.function.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query"]
        Resource = "arn:aws:dynamodb:${var.region}:${local.account}:table/${var.table}"
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.function.arn}:*"
      },
      { Effect = "Allow", Action = "s3:PutObject", Resource = "${aws_s3_bucket.audit.arn}/*" },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"]
        Resource = [for key in aws_kms_key.key : key.arn]
      },
      {
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      },
    ]
  })
}

resource "aws_lambda_function" "payments" {
  function_name    = "${var.name}-payments"
  role             = aws_iam_role.function.arn
  runtime          = "python3.11"
  handler          = "handler.handle"
  filename         = var.code
  source_code_hash = filebase64sha256(var.code)
  memory_size      = 512
  timeout          = 10
  publish          = true
  kms_key_arn      = aws_kms_key.key["application"].arn
  environment { variables = { TABLE = var.table, BUCKET = aws_s3_bucket.audit.bucket } }
  tracing_config { mode = "Active" }
  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function.name
  }
  depends_on = [aws_iam_role_policy.function]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.payments.function_name
  function_version = aws_lambda_function.payments.version
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.payments.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.api.execution_arn}/*/*"
}

# ---- the API --------------------------------------------------------------------------------------------

resource "aws_api_gateway_rest_api" "api" {
  name        = "${var.name}-api"
  description = "Payments"
  endpoint_configuration { types = ["REGIONAL"] }
}

resource "aws_api_gateway_resource" "payments" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  parent_id   = aws_api_gateway_rest_api.api.root_resource_id
  path_part   = "payments"
}

resource "aws_api_gateway_resource" "payment" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  parent_id   = aws_api_gateway_resource.payments.id
  path_part   = "{payment_id}"
}

resource "aws_api_gateway_resource" "health" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  parent_id   = aws_api_gateway_rest_api.api.root_resource_id
  path_part   = "health"
}

resource "aws_api_gateway_model" "payment" {
  rest_api_id  = aws_api_gateway_rest_api.api.id
  name         = "Payment"
  description  = "A payment"
  content_type = "application/json"
  schema = jsonencode({
    "$schema"  = "http://json-schema.org/draft-04/schema#"
    type       = "object"
    required   = ["amount"]
    properties = { amount = { type = "integer" } }
  })
}

resource "aws_api_gateway_request_validator" "all" {
  rest_api_id                 = aws_api_gateway_rest_api.api.id
  name                        = "all"
  validate_request_body       = true
  validate_request_parameters = true
}

locals {
  methods = {
    "POST payments" = [aws_api_gateway_resource.payments.id, "POST", true]
    "GET payments"  = [aws_api_gateway_resource.payments.id, "GET", true]
    "GET payment"   = [aws_api_gateway_resource.payment.id, "GET", true]
    "GET health"    = [aws_api_gateway_resource.health.id, "GET", false]
  }
}

resource "aws_api_gateway_method" "method" {
  for_each             = local.methods
  rest_api_id          = aws_api_gateway_rest_api.api.id
  resource_id          = each.value[0]
  http_method          = each.value[1]
  authorization        = "NONE"
  api_key_required     = each.value[2]
  request_validator_id = aws_api_gateway_request_validator.all.id
  request_models       = each.value[1] == "POST" ? { "application/json" = aws_api_gateway_model.payment.name } : {}
  request_parameters = (
    each.value[1] == "POST" ? { "method.request.header.Idempotency-Key" = true } :
    each.key == "GET payment" ? { "method.request.path.payment_id" = true } : {}
  )
}

resource "aws_api_gateway_integration" "function" {
  for_each                = aws_api_gateway_method.method
  rest_api_id             = aws_api_gateway_rest_api.api.id
  resource_id             = each.value.resource_id
  http_method             = each.value.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_alias.live.invoke_arn
}

resource "aws_api_gateway_method" "cors" {
  rest_api_id   = aws_api_gateway_rest_api.api.id
  resource_id   = aws_api_gateway_resource.payments.id
  http_method   = "OPTIONS"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "cors" {
  rest_api_id       = aws_api_gateway_rest_api.api.id
  resource_id       = aws_api_gateway_resource.payments.id
  http_method       = aws_api_gateway_method.cors.http_method
  type              = "MOCK"
  request_templates = { "application/json" = "{\"statusCode\": 204}" }
}

resource "aws_api_gateway_method_response" "cors" {
  rest_api_id         = aws_api_gateway_rest_api.api.id
  resource_id         = aws_api_gateway_resource.payments.id
  http_method         = aws_api_gateway_method.cors.http_method
  status_code         = "204"
  response_parameters = { "method.response.header.Access-Control-Allow-Origin" = true }
}

resource "aws_api_gateway_integration_response" "cors" {
  rest_api_id         = aws_api_gateway_rest_api.api.id
  resource_id         = aws_api_gateway_resource.payments.id
  http_method         = aws_api_gateway_method.cors.http_method
  status_code         = aws_api_gateway_method_response.cors.status_code
  response_parameters = { "method.response.header.Access-Control-Allow-Origin" = "'https://shop.example'" }
  depends_on          = [aws_api_gateway_integration.cors]
}

resource "aws_api_gateway_gateway_response" "response" {
  for_each            = { BAD_REQUEST_BODY = "400", MISSING_AUTHENTICATION_TOKEN = "403", DEFAULT_5XX = null }
  rest_api_id         = aws_api_gateway_rest_api.api.id
  response_type       = each.key
  status_code         = each.value
  response_parameters = { "gatewayresponse.header.Access-Control-Allow-Origin" = "'https://shop.example'" }
  response_templates = {
    "application/json" = "{\"type\":\"about:blank\",\"title\":$context.error.messageString}"
  }
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/payinfra/${var.name}/access"
  retention_in_days = 7
  kms_key_id        = aws_kms_key.key["audit"].arn
}

resource "aws_cloudwatch_log_group" "execution" {
  name              = "API-Gateway-Execution-Logs_${aws_api_gateway_rest_api.api.id}/prod"
  retention_in_days = 7
}

resource "aws_api_gateway_deployment" "api" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  triggers = {
    methods = sha1(jsonencode([
      aws_api_gateway_model.payment.schema,
      [for method in aws_api_gateway_method.method : [method.resource_id, method.http_method, method.api_key_required]],
    ]))
  }
  depends_on = [
    aws_api_gateway_integration.function, aws_api_gateway_integration_response.cors,
    aws_api_gateway_gateway_response.response,
  ]
  lifecycle { create_before_destroy = true }
}

resource "aws_api_gateway_stage" "prod" {
  rest_api_id          = aws_api_gateway_rest_api.api.id
  deployment_id        = aws_api_gateway_deployment.api.id
  stage_name           = "prod"
  xray_tracing_enabled = true
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = jsonencode({ requestId = "$context.requestId", status = "$context.status" })
  }
  depends_on = [aws_cloudwatch_log_group.execution]
}

resource "aws_api_gateway_stage" "plain" {
  rest_api_id   = aws_api_gateway_rest_api.api.id
  deployment_id = aws_api_gateway_deployment.api.id
  stage_name    = "plain"
}

resource "aws_api_gateway_method_settings" "all" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  stage_name  = aws_api_gateway_stage.prod.stage_name
  method_path = "*/*"
  settings {
    metrics_enabled        = true
    logging_level          = "INFO"
    data_trace_enabled     = false
    throttling_rate_limit  = 100
    throttling_burst_limit = 200
  }
}

resource "aws_api_gateway_api_key" "client" {
  name  = "${var.name}-client"
  value = var.key_value
}

resource "aws_api_gateway_usage_plan" "plan" {
  name = "${var.name}-plan"
  api_stages {
    api_id = aws_api_gateway_rest_api.api.id
    stage  = aws_api_gateway_stage.prod.stage_name
  }
  throttle_settings {
    rate_limit  = 100
    burst_limit = 200
  }
  quota_settings {
    limit  = 1000000
    period = "DAY"
  }
}

resource "aws_api_gateway_usage_plan" "without_quota" {
  name = "${var.name}-without-quota"
}

resource "aws_api_gateway_usage_plan_key" "client" {
  key_id        = aws_api_gateway_api_key.client.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.plan.id
}

# ---- a domain of one's own ------------------------------------------------------------------------------

resource "aws_acm_certificate" "name" {
  domain_name               = "payments.e2e.example.com"
  subject_alternative_names = ["nearest.e2e.example.com"]
  validation_method         = "DNS"
  lifecycle { create_before_destroy = true }
}

resource "aws_acm_certificate_validation" "name" {
  certificate_arn = aws_acm_certificate.name.arn
}

resource "aws_api_gateway_domain_name" "name" {
  domain_name              = "payments.e2e.example.com"
  regional_certificate_arn = aws_acm_certificate_validation.name.certificate_arn
  security_policy          = "TLS_1_2"
  endpoint_configuration { types = ["REGIONAL"] }
}

resource "aws_api_gateway_base_path_mapping" "name" {
  api_id      = aws_api_gateway_rest_api.api.id
  stage_name  = aws_api_gateway_stage.prod.stage_name
  domain_name = aws_api_gateway_domain_name.name.domain_name
}

# ---- watching -------------------------------------------------------------------------------------------

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.key["audit"].arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_cloudwatch_log_metric_filter" "accepted" {
  name           = "${var.name}-accepted"
  log_group_name = aws_cloudwatch_log_group.function.name
  pattern        = "{ $.outcome = \"accepted\" }"
  metric_transformation {
    name          = "Accepted"
    namespace     = "Payments/${var.name}"
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "The function fails"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.payments.function_name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  alarm_name          = "${var.name}-latency"
  namespace           = "AWS/ApiGateway"
  metric_name         = "Latency"
  dimensions          = { ApiName = aws_api_gateway_rest_api.api.name, Stage = "prod" }
  extended_statistic  = "p99"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1000
  period              = 60
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "error_rate" {
  alarm_name          = "${var.name}-error-rate"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  metric_query {
    id          = "rate"
    expression  = "100 * errors / IF(calls > 0, calls, 1)"
    label       = "error rate"
    return_data = true
  }
  metric_query {
    id = "errors"
    metric {
      namespace   = "AWS/ApiGateway"
      metric_name = "5XXError"
      dimensions  = { ApiName = aws_api_gateway_rest_api.api.name }
      period      = 60
      stat        = "Sum"
    }
  }
  metric_query {
    id = "calls"
    metric {
      namespace   = "AWS/ApiGateway"
      metric_name = "Count"
      dimensions  = { ApiName = aws_api_gateway_rest_api.api.name }
      period      = 60
      stat        = "Sum"
    }
  }
}

resource "aws_cloudwatch_dashboard" "both" {
  dashboard_name = "${var.name}-${var.region}"
  dashboard_body = jsonencode({
    widgets = [{
      type = "metric", x = 0, y = 0, width = 12, height = 6
      properties = {
        region  = var.region
        title   = "Errors"
        metrics = [["AWS/Lambda", "Errors", "FunctionName", aws_lambda_function.payments.function_name]]
        period  = 60
        stat    = "Sum"
      }
    }]
  })
}

# ---- parameters -----------------------------------------------------------------------------------------

resource "aws_ssm_parameter" "bucket" {
  name  = "/${var.name}/bucket"
  type  = "String"
  value = aws_s3_bucket.audit.bucket
}

resource "aws_ssm_parameter" "key" {
  name   = "/${var.name}/api-key"
  type   = "SecureString"
  key_id = aws_kms_key.key["application"].arn
  value  = aws_api_gateway_api_key.client.value
}

output "data_key_arn" { value = aws_kms_key.key["data"].arn }
output "audit_key_arn" { value = aws_kms_key.key["audit"].arn }
output "bucket" { value = aws_s3_bucket.audit.bucket }
output "bucket_arn" {
  value      = aws_s3_bucket.audit.arn
  depends_on = [aws_s3_bucket_versioning.audit]
}
output "api_id" { value = aws_api_gateway_rest_api.api.id }
output "api_host" {
  value = "${aws_api_gateway_rest_api.api.id}.execute-api.${var.region}.amazonaws.com"
}
output "api_key_value" { value = aws_api_gateway_api_key.client.value }
output "topic_arn" { value = aws_sns_topic.alarms.arn }
output "validation_options" { value = aws_acm_certificate.name.domain_validation_options }
output "domain_target" { value = aws_api_gateway_domain_name.name.regional_domain_name }
output "domain_zone" { value = aws_api_gateway_domain_name.name.regional_zone_id }
