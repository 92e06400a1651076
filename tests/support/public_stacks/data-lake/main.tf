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
variable "zones" {
  type = map(object({ expire = number, archive = list(object({ days = number, class = string })) }))
  default = {
    raw     = { expire = 365, archive = [{ days = 30, class = "STANDARD_IA" }, { days = 90, class = "GLACIER" }] }
    curated = { expire = 0, archive = [] }
  }
}

variable "trusted_accounts" {
  type    = list(string)
  default = []
}

resource "aws_kms_key" "lake" {
  enable_key_rotation = true
}

module "zone" {
  source   = "./modules/bucket"
  for_each = var.zones

  name    = "lake-${each.key}"
  key     = aws_kms_key.lake.arn
  expire  = each.value.expire
  archive = each.value.archive
  readers = var.trusted_accounts
}

resource "aws_iam_role" "firehose" {
  name = "lake-firehose"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "firehose.amazonaws.com" }
      Condition = { StringEquals = { "sts:ExternalId" = "111122223333" } }
    }]
  })
}

data "aws_iam_policy_document" "firehose" {
  statement {
    actions   = ["s3:PutObject", "s3:GetBucketLocation", "s3:ListBucket", "s3:AbortMultipartUpload"]
    resources = flatten([for one in module.zone : [one.arn, "${one.arn}/*"]])
  }
  statement {
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = [aws_kms_key.lake.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.us-east-1.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "firehose" {
  role   = aws_iam_role.firehose.id
  policy = data.aws_iam_policy_document.firehose.json
}

resource "aws_kinesis_firehose_delivery_stream" "events" {
  name        = "events"
  destination = "extended_s3"
  extended_s3_configuration {
    role_arn           = aws_iam_role.firehose.arn
    bucket_arn         = module.zone["raw"].arn
    kms_key_arn        = aws_kms_key.lake.arn
    buffering_interval = 60
  }
  server_side_encryption {
    enabled = true
  }
}

resource "aws_kinesis_stream" "events" {
  name             = "events"
  shard_count      = 2
  retention_period = 48
}
