terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "name" { type = string }
variable "table" { type = string }
variable "key_arn" { type = string }

resource "aws_iam_role" "own" {
  name = var.name
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })

}

resource "aws_iam_role_policy" "own" {
  role = aws_iam_role.own.id
  policy = templatefile("${path.module}/policy.json.tftpl", {
    table     = var.table
    key       = var.key_arn
    log_group = aws_cloudwatch_log_group.own.arn
  })
}

resource "aws_cloudwatch_log_group" "own" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = 30
}

resource "aws_lambda_function" "own" {
  function_name                  = var.name
  role                           = aws_iam_role.own.arn
  handler                        = "app.handler"
  runtime                        = "python3.12"
  s3_bucket                      = "releases-${var.name}"
  s3_key                         = "payments.zip"
  timeout                        = 10
  reserved_concurrent_executions = 50
  tracing_config {
    mode = "Active"
  }
}

output "name" { value = aws_lambda_function.own.function_name }
output "invoke_arn" { value = aws_lambda_function.own.invoke_arn }
