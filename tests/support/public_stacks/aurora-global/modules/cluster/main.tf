terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "name" { type = string }
variable "cidr" { type = string }
variable "zones" { type = list(string) }
variable "instances" { type = number }
variable "global_cluster" { type = string }
variable "primary" { type = bool }

resource "aws_vpc" "own" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_subnet" "data" {
  for_each          = { for index, zone in var.zones : zone => index }
  vpc_id            = aws_vpc.own.id
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)
  availability_zone = each.key
}

resource "aws_db_subnet_group" "own" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.data : subnet.id]
}

resource "aws_security_group" "own" {
  name   = var.name
  vpc_id = aws_vpc.own.id
}

resource "aws_vpc_security_group_ingress_rule" "postgres" {
  security_group_id = aws_security_group.own.id
  cidr_ipv4         = aws_vpc.own.cidr_block
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

resource "aws_kms_key" "own" {
  description         = var.name
  enable_key_rotation = true
}

resource "aws_kms_alias" "own" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.own.key_id
}

resource "aws_rds_cluster" "own" {
  cluster_identifier              = var.name
  engine                          = "aurora-postgresql"
  engine_version                  = "16.4"
  global_cluster_identifier       = var.global_cluster
  db_subnet_group_name            = aws_db_subnet_group.own.name
  vpc_security_group_ids          = [aws_security_group.own.id]
  storage_encrypted               = true
  kms_key_id                      = aws_kms_key.own.arn
  master_username                 = var.primary ? "ledger" : null
  manage_master_user_password     = var.primary ? true : null
  backup_retention_period         = 14
  copy_tags_to_snapshot           = true
  deletion_protection             = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
  skip_final_snapshot             = false
  final_snapshot_identifier       = "${var.name}-final"
}

resource "aws_rds_cluster_instance" "own" {
  count                           = var.instances
  identifier                      = "${var.name}-${count.index}"
  cluster_identifier              = aws_rds_cluster.own.id
  engine                          = aws_rds_cluster.own.engine
  instance_class                  = "db.r6g.large"
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.own.arn
}

resource "aws_cloudwatch_metric_alarm" "cpu" {
  count               = var.instances
  alarm_name          = "${var.name}-${count.index}-cpu"
  namespace           = "AWS/RDS"
  metric_name         = "CPUUtilization"
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 80
  period              = 60
  evaluation_periods  = 5
  dimensions          = { DBInstanceIdentifier = aws_rds_cluster_instance.own[count.index].identifier }
}

output "vpc" { value = aws_vpc.own.id }
