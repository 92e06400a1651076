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
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

provider "aws" {
  alias                       = "copy"
  region                      = "eu-west-2"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "rules" {
  type = map(object({ schedule = string, keep = number, copy = bool }))
  default = {
    hourly  = { schedule = "cron(0 * * * ? *)", keep = 3, copy = false }
    daily   = { schedule = "cron(0 3 * * ? *)", keep = 35, copy = true }
    monthly = { schedule = "cron(0 4 1 * ? *)", keep = 400, copy = true }
  }
}

resource "aws_kms_key" "vault" {
  enable_key_rotation = true
}

resource "aws_kms_key" "copy" {
  provider            = aws.copy
  enable_key_rotation = true
}

resource "aws_backup_vault" "main" {
  name        = "main"
  kms_key_arn = aws_kms_key.vault.arn
}

resource "aws_backup_vault" "copy" {
  provider    = aws.copy
  name        = "main"
  kms_key_arn = aws_kms_key.copy.arn
}

resource "aws_backup_vault_lock_configuration" "main" {
  backup_vault_name  = aws_backup_vault.main.name
  min_retention_days = 3
}

resource "aws_backup_plan" "main" {
  name = "main"
  dynamic "rule" {
    for_each = var.rules
    content {
      rule_name         = rule.key
      target_vault_name = aws_backup_vault.main.name
      schedule          = rule.value.schedule
      lifecycle {
        delete_after = rule.value.keep
      }
      dynamic "copy_action" {
        for_each = rule.value.copy ? [aws_backup_vault.copy.arn] : []
        content {
          destination_vault_arn = copy_action.value
        }
      }
    }
  }
}

resource "aws_iam_role" "backup" {
  name = "backup"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "backup.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "backup" {
  for_each   = toset(["Backup", "Restores"])
  role       = aws_iam_role.backup.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyFor${each.key}"
}

resource "aws_backup_selection" "main" {
  name         = "tagged"
  plan_id      = aws_backup_plan.main.id
  iam_role_arn = aws_iam_role.backup.arn
  selection_tag {
    type  = "STRINGEQUALS"
    key   = "Backup"
    value = "yes"
  }
}

resource "aws_dynamodb_table" "ledger" {
  for_each     = { entries = "yes", drafts = "no" }
  name         = "ledger-${each.key}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
  tags = { Backup = each.value }
}

resource "aws_sns_topic" "failures" {
  name              = "backup-failures"
  kms_master_key_id = "alias/aws/sns"
}

resource "aws_sns_topic_policy" "failures" {
  arn = aws_sns_topic.failures.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "SNS:Publish"
      Resource  = aws_sns_topic.failures.arn
    }]
  })
}

resource "aws_backup_vault_notifications" "main" {
  backup_vault_name   = aws_backup_vault.main.name
  sns_topic_arn       = aws_sns_topic.failures.arn
  backup_vault_events = ["BACKUP_JOB_FAILED", "RESTORE_JOB_COMPLETED"]
}
