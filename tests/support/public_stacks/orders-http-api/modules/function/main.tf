terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "name" { type = string }
variable "environment" { type = map(string) }
variable "tags" { type = map(string) }
variable "statements" {
  type = list(object({ actions = list(string), resources = list(string) }))
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "own" {
  dynamic "statement" {
    for_each = var.statements
    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.own.arn}:*"]
  }
}

resource "aws_cloudwatch_log_group" "own" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = 30
  tags              = var.tags
}

resource "aws_iam_role" "own" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.own.id
  policy = data.aws_iam_policy_document.own.json
}

resource "aws_lambda_function" "own" {
  function_name = var.name
  role          = aws_iam_role.own.arn
  handler       = "app.handler"
  runtime       = "python3.12"
  s3_bucket     = "releases.example"
  s3_key        = "${var.name}.zip"
  timeout       = 10
  memory_size   = 256
  tags          = var.tags

  environment {
    variables = var.environment
  }

  tracing_config {
    mode = "Active"
  }
}

output "name" { value = aws_lambda_function.own.function_name }
output "invoke_arn" { value = aws_lambda_function.own.invoke_arn }
