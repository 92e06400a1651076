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
  alias                       = "first"
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

provider "aws" {
  alias                       = "second"
  region                      = "eu-central-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "instances" {
  type    = number
  default = 2
}

resource "aws_rds_global_cluster" "ledger" {
  provider                  = aws.first
  global_cluster_identifier = "ledger"
  engine                    = "aurora-postgresql"
  engine_version            = "16.4"
  database_name             = "ledger"
  storage_encrypted         = true
  deletion_protection       = true
}

module "first" {
  source         = "./modules/cluster"
  providers      = { aws = aws.first }
  name           = "ledger-eu-west-1"
  cidr           = "10.20.0.0/16"
  zones          = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  instances      = var.instances
  global_cluster = aws_rds_global_cluster.ledger.id
  primary        = true
}

module "second" {
  source         = "./modules/cluster"
  providers      = { aws = aws.second }
  name           = "ledger-eu-central-1"
  cidr           = "10.21.0.0/16"
  zones          = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  instances      = var.instances
  global_cluster = aws_rds_global_cluster.ledger.id
  primary        = false
  depends_on     = [module.first]
}

resource "aws_vpc_peering_connection" "ledger" {
  provider    = aws.first
  vpc_id      = module.first.vpc
  peer_vpc_id = module.second.vpc
  peer_region = "eu-central-1"
}

resource "aws_vpc_peering_connection_accepter" "ledger" {
  provider                  = aws.second
  vpc_peering_connection_id = aws_vpc_peering_connection.ledger.id
  auto_accept               = true
}
