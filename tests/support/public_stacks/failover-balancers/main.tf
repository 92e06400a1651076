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
  alias                       = "main"
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

provider "aws" {
  alias                       = "standby"
  region                      = "eu-west-3"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "domain" {
  type    = string
  default = "gateway.example.com"
}

data "aws_iam_policy_document" "replication_trust" {
  provider = aws.main
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

resource "aws_route53_zone" "gateway" {
  provider = aws.main
  name     = var.domain
}

module "main" {
  source    = "./modules/site"
  providers = { aws = aws.main }
  name      = "gateway-main"
  cidr      = "10.1.0.0/16"
  zones     = ["eu-west-1a", "eu-west-1b"]
}

module "standby" {
  source    = "./modules/site"
  providers = { aws = aws.standby }
  name      = "gateway-standby"
  cidr      = "10.2.0.0/16"
  zones     = ["eu-west-3a", "eu-west-3b"]
}

resource "aws_route53_health_check" "site" {
  provider          = aws.main
  for_each          = { main = module.main.address, standby = module.standby.address }
  fqdn              = each.value
  type              = "HTTPS"
  port              = 443
  resource_path     = "/ready"
  failure_threshold = 3
  request_interval  = 30
}

resource "aws_route53_health_check" "all" {
  provider               = aws.main
  type                   = "CALCULATED"
  child_health_threshold = 1
  child_healthchecks     = [aws_route53_health_check.site["main"].id]
}

resource "aws_route53_record" "main" {
  provider        = aws.main
  zone_id         = aws_route53_zone.gateway.zone_id
  name            = var.domain
  type            = "A"
  set_identifier  = "main"
  health_check_id = aws_route53_health_check.all.id
  failover_routing_policy {
    type = "PRIMARY"
  }
  alias {
    name                   = module.main.address
    zone_id                = module.main.zone
    evaluate_target_health = true
  }
}

resource "aws_route53_record" "standby" {
  provider        = aws.main
  zone_id         = aws_route53_zone.gateway.zone_id
  name            = var.domain
  type            = "A"
  set_identifier  = "standby"
  health_check_id = aws_route53_health_check.site["standby"].id
  failover_routing_policy {
    type = "SECONDARY"
  }
  alias {
    name                   = module.standby.address
    zone_id                = module.standby.zone
    evaluate_target_health = true
  }
}

resource "aws_iam_role" "replication" {
  provider           = aws.main
  name               = "gateway-replication"
  assume_role_policy = data.aws_iam_policy_document.replication_trust.json
}

data "aws_iam_policy_document" "replication" {
  provider = aws.main
  statement {
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [module.main.bucket_arn]
  }
  statement {
    actions   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    resources = ["${module.main.bucket_arn}/*"]
  }
  statement {
    actions   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
    resources = ["${module.standby.bucket_arn}/*"]
  }
}

resource "aws_iam_role_policy" "replication" {
  provider = aws.main
  role     = aws_iam_role.replication.id
  policy   = data.aws_iam_policy_document.replication.json
}

resource "aws_s3_bucket_replication_configuration" "main" {
  provider = aws.main
  bucket   = module.main.bucket
  role     = aws_iam_role.replication.arn
  rule {
    id     = "everything"
    status = "Enabled"
    filter {}
    delete_marker_replication {
      status = "Enabled"
    }
    destination {
      bucket        = module.standby.bucket_arn
      storage_class = "STANDARD_IA"
    }
  }
}
