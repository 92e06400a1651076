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
  alias                       = "use1"
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

provider "aws" {
  alias                       = "euw1"
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

provider "aws" {
  alias                       = "apne1"
  region                      = "ap-northeast-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "domain" {
  default = "pay.example.com"
}

locals {
  home     = "us-east-1"
  replicas = toset(["eu-west-1", "ap-northeast-1"])
}

resource "aws_dynamodb_table" "payments" {
  provider                    = aws.use1
  name                        = "payments"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = true
  attribute {
    name = "id"
    type = "S"
  }
  point_in_time_recovery {
    enabled = true
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = module.use1.key_arn
  }
  dynamic "replica" {
    for_each = { "eu-west-1" = module.euw1.key_arn, "ap-northeast-1" = module.apne1.key_arn }
    content {
      region_name            = replica.key
      kms_key_arn            = replica.value
      point_in_time_recovery = true
    }
  }
}

resource "aws_route53_zone" "pay" {
  provider = aws.use1
  name     = var.domain
}

module "use1" {
  source    = "./modules/region"
  providers = { aws = aws.use1 }
  region    = "us-east-1"
  zone      = aws_route53_zone.pay.zone_id
  domain    = var.domain
  table     = "payments"
}

module "euw1" {
  source    = "./modules/region"
  providers = { aws = aws.euw1 }
  region    = "eu-west-1"
  zone      = aws_route53_zone.pay.zone_id
  domain    = var.domain
  table     = "payments"
}

module "apne1" {
  source    = "./modules/region"
  providers = { aws = aws.apne1 }
  region    = "ap-northeast-1"
  zone      = aws_route53_zone.pay.zone_id
  domain    = var.domain
  table     = "payments"
}
