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
  region                      = "ap-southeast-2"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "publishers" {
  type    = map(list(string))
  default = { "222233334444" = ["orders.*"], "333344445555" = ["ledger.posted"] }
}

variable "organization" {
  default = "o-a1b2c3d4e5"
}

locals {
  consumers = {
    audit = { pattern = { source = [{ prefix = "" }] }, retries = 185 }
    fraud = { pattern = { source = ["orders"], detail = { amount = [{ numeric = [">", 1000] }] } }, retries = 10 }
  }
}

resource "aws_cloudwatch_event_bus" "company" {
  name = "company"
}

resource "aws_cloudwatch_event_archive" "company" {
  name             = "company"
  event_source_arn = aws_cloudwatch_event_bus.company.arn
  retention_days   = 365
}

data "aws_iam_policy_document" "bus" {
  dynamic "statement" {
    for_each = var.publishers
    content {
      sid       = "From${statement.key}"
      actions   = ["events:PutEvents"]
      resources = [aws_cloudwatch_event_bus.company.arn]
      principals {
        type        = "AWS"
        identifiers = ["arn:aws:iam::${statement.key}:root"]
      }
      condition {
        test     = "StringLike"
        variable = "events:detail-type"
        values   = statement.value
      }
    }
  }
  statement {
    sid       = "Organization"
    actions   = ["events:PutEvents"]
    resources = [aws_cloudwatch_event_bus.company.arn]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [var.organization]
    }
  }
}

resource "aws_cloudwatch_event_bus_policy" "company" {
  event_bus_name = aws_cloudwatch_event_bus.company.name
  policy         = data.aws_iam_policy_document.bus.json
}

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Administration"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:root"]
    }
  }
  statement {
    sid       = "Topics"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com", "events.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["111122223333"]
    }
  }
  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.ap-southeast-2.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:aws:logs:ap-southeast-2:111122223333:*"]
    }
  }
}

resource "aws_kms_key" "events" {
  description         = "Events"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.key.json
}

resource "aws_cloudwatch_log_group" "audit" {
  name              = "/aws/events/audit"
  retention_in_days = 731
  kms_key_id        = aws_kms_key.events.arn
}

resource "aws_sns_topic" "consumer" {
  for_each          = local.consumers
  name              = "events-${each.key}"
  kms_master_key_id = aws_kms_key.events.id
}

data "aws_iam_policy_document" "topic" {
  for_each = local.consumers
  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.consumer[each.key].arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.consumer[each.key].arn]
    }
  }
  statement {
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.consumer[each.key].arn]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "consumer" {
  for_each = local.consumers
  arn      = aws_sns_topic.consumer[each.key].arn
  policy   = data.aws_iam_policy_document.topic[each.key].json
}

resource "aws_cloudwatch_event_rule" "consumer" {
  for_each       = local.consumers
  name           = each.key
  event_bus_name = aws_cloudwatch_event_bus.company.name
  event_pattern  = jsonencode(each.value.pattern)
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "events-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_event_target" "consumer" {
  for_each       = local.consumers
  rule           = aws_cloudwatch_event_rule.consumer[each.key].name
  event_bus_name = aws_cloudwatch_event_bus.company.name
  arn            = aws_sns_topic.consumer[each.key].arn
  retry_policy {
    maximum_retry_attempts       = each.value.retries
    maximum_event_age_in_seconds = 3600
  }
  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }
}
