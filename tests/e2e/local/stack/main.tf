# One stack with every kind of resource and property that a two-region payments backend uses, written for
# the embedded AWS alone: a second plan of it must be empty.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.100.0" }
  }
}

variable "primary_url" { type = string }
variable "secondary_url" { type = string }
variable "global_url" { type = string }
variable "code" { type = string }
variable "env" {
  type    = string
  default = "e2e"
}

locals {
  account = "000000000000"
  name    = "payment-${var.env}"
}

provider "aws" {
  alias                       = "primary"
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  default_tags { tags = { Environment = var.env, Project = "payment-infrastructure" } }
  endpoints {
    acm            = var.primary_url
    apigateway     = var.primary_url
    cloudwatch     = var.primary_url
    cloudwatchlogs = var.primary_url
    dynamodb       = var.primary_url
    iam            = var.global_url
    kms            = var.primary_url
    lambda         = var.primary_url
    route53        = var.global_url
    s3             = var.primary_url
    s3control      = var.primary_url
    sns            = var.primary_url
    ssm            = var.primary_url
    sts            = var.global_url
  }
}

provider "aws" {
  alias                       = "secondary"
  region                      = "us-west-2"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  default_tags { tags = { Environment = var.env, Project = "payment-infrastructure" } }
  endpoints {
    acm            = var.secondary_url
    apigateway     = var.secondary_url
    cloudwatch     = var.secondary_url
    cloudwatchlogs = var.secondary_url
    dynamodb       = var.secondary_url
    iam            = var.global_url
    kms            = var.secondary_url
    lambda         = var.secondary_url
    route53        = var.global_url
    s3             = var.secondary_url
    s3control      = var.secondary_url
    sns            = var.secondary_url
    ssm            = var.secondary_url
    sts            = var.global_url
  }
}

# ---- the table, with a replica that has a key of its own ------------------------------------------------

resource "aws_dynamodb_table" "payments" {
  provider         = aws.primary
  name             = "${local.name}-payments"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "payment_id"
  range_key        = "timestamp"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"
  attribute {
    name = "payment_id"
    type = "S"
  }
  attribute {
    name = "timestamp"
    type = "N"
  }
  attribute {
    name = "status"
    type = "S"
  }
  attribute {
    name = "customer_id"
    type = "S"
  }
  global_secondary_index {
    name            = "by-status"
    hash_key        = "status"
    range_key       = "timestamp"
    projection_type = "ALL"
  }
  global_secondary_index {
    name               = "by-customer"
    hash_key           = "customer_id"
    range_key          = "timestamp"
    projection_type    = "INCLUDE"
    non_key_attributes = ["amount"]
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = module.primary.data_key_arn
  }
  point_in_time_recovery { enabled = true }
  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }
  replica {
    region_name            = "us-west-2"
    kms_key_arn            = module.secondary.data_key_arn
    point_in_time_recovery = true
    propagate_tags         = true
  }
  tags = { Name = "payments" }
}

# ---- what is made twice ---------------------------------------------------------------------------------

module "primary" {
  source      = "./region"
  providers   = { aws = aws.primary }
  region      = "us-east-1"
  name        = local.name
  code        = var.code
  table       = "${local.name}-payments"
  peer_bucket = module.secondary.bucket_arn
  peer_key    = module.secondary.audit_key_arn
}

module "secondary" {
  source      = "./region"
  providers   = { aws = aws.secondary }
  region      = "us-west-2"
  name        = local.name
  code        = var.code
  table       = "${local.name}-payments"
  peer_bucket = module.primary.bucket_arn
  peer_key    = module.primary.audit_key_arn
  key_value   = module.primary.api_key_value
}

# ---- names ----------------------------------------------------------------------------------------------

resource "aws_route53_zone" "main" {
  provider      = aws.primary
  name          = "${local.name}.internal.example."
  comment       = "Not delegated"
  force_destroy = true
}

resource "aws_route53_health_check" "region" {
  for_each          = { primary = module.primary.api_host, secondary = module.secondary.api_host }
  provider          = aws.primary
  fqdn              = each.value
  port              = 443
  type              = "HTTPS"
  resource_path     = "/prod/health"
  failure_threshold = 3
  request_interval  = 10
  measure_latency   = false
  regions           = ["us-east-1", "us-west-2", "eu-west-1"]
  tags              = { Name = "${local.name}-${each.key}" }
}

resource "aws_route53_record" "failover" {
  for_each        = { primary = module.primary.api_host, secondary = module.secondary.api_host }
  provider        = aws.primary
  zone_id         = aws_route53_zone.main.zone_id
  name            = "payments.${local.name}.internal.example"
  type            = "CNAME"
  ttl             = 60
  records         = [each.value]
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region[each.key].id
  failover_routing_policy { type = upper(each.key) }
}

resource "aws_route53_record" "latency" {
  for_each = {
    primary   = [module.primary.api_host, "us-east-1"]
    secondary = [module.secondary.api_host, "us-west-2"]
  }
  provider        = aws.primary
  zone_id         = aws_route53_zone.main.zone_id
  name            = "nearest.${local.name}.internal.example"
  type            = "CNAME"
  ttl             = 60
  records         = [each.value[0]]
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region[each.key].id
  latency_routing_policy { region = each.value[1] }
}

resource "aws_cloudwatch_metric_alarm" "health" {
  for_each            = { primary = module.primary.topic_arn, secondary = module.primary.topic_arn }
  provider            = aws.primary
  alarm_name          = "${local.name}-health-${each.key}"
  namespace           = "AWS/Route53"
  metric_name         = "HealthCheckStatus"
  dimensions          = { HealthCheckId = aws_route53_health_check.region[each.key].id }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [each.value]
  ok_actions          = [each.value]
}

# ---- a domain of one's own ------------------------------------------------------------------------------

resource "aws_route53_zone" "public" {
  provider = aws.primary
  name     = "${var.env}.example.com"
}

resource "aws_route53_record" "validation" {
  for_each = {
    for option in module.primary.validation_options : option.domain_name => option
  }
  provider        = aws.primary
  zone_id         = aws_route53_zone.public.zone_id
  name            = each.value.resource_record_name
  type            = each.value.resource_record_type
  ttl             = 60
  records         = [each.value.resource_record_value]
  allow_overwrite = true
}

resource "aws_route53_record" "alias" {
  for_each = {
    primary   = [module.primary.domain_target, module.primary.domain_zone]
    secondary = [module.secondary.domain_target, module.secondary.domain_zone]
  }
  provider        = aws.primary
  zone_id         = aws_route53_zone.public.zone_id
  name            = "payments.${var.env}.example.com"
  type            = "A"
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region[each.key].id
  alias {
    name                   = each.value[0]
    zone_id                = each.value[1]
    evaluate_target_health = true
  }
  failover_routing_policy { type = upper(each.key) }
}

output "primary_api" { value = module.primary.api_id }
output "secondary_api" { value = module.secondary.api_id }
output "api_key" { value = nonsensitive(module.primary.api_key_value) }
output "table" { value = aws_dynamodb_table.payments.name }
output "buckets" { value = [module.primary.bucket, module.secondary.bucket] }
output "function" { value = "${local.name}-payments" }
output "domain" { value = "payments.${var.env}.example.com" }
