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
  region                      = "sa-east-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
variable "disks" {
  type = list(object({ name = string, size = number, encrypted = bool }))
  default = [
    { name = "/dev/xvda", size = 20, encrypted = true },
    { name = "/dev/xvdb", size = 100, encrypted = false },
  ]
}

variable "database_password" {
  type      = string
  sensitive = true
  default   = "correct-horse-battery"
}

variable "monitoring" {
  type    = bool
  default = true
}

resource "aws_vpc" "main" {
  cidr_block = "10.50.0.0/16"
}

resource "aws_subnet" "private" {
  for_each          = { a = 0, c = 1 }
  vpc_id            = aws_vpc.main.id
  availability_zone = "sa-east-1${each.key}"
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, each.value)
}

resource "aws_security_group" "app" {
  name   = "app"
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group_rule" "ssh" {
  type              = "ingress"
  security_group_id = aws_security_group.app.id
  protocol          = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_blocks       = ["0.0.0.0/0"]
}

resource "aws_iam_role" "app" {
  name = "app"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "app" {
  for_each = toset(["AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy"])

  role       = aws_iam_role.app.name
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
}

resource "aws_iam_group" "operators" {
  name = "operators"
}

resource "aws_iam_group_policy_attachment" "operators" {
  group      = aws_iam_group.operators.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}

resource "aws_iam_instance_profile" "app" {
  name = "app"
  role = aws_iam_role.app.name
}

resource "aws_launch_template" "app" {
  name_prefix   = "app-"
  image_id      = "ami-0123456789abcdef0"
  instance_type = "m6i.large"
  user_data = base64encode(<<-EOT
    #!/bin/sh
    echo ready > /var/run/app
  EOT
  )

  iam_instance_profile {
    arn = aws_iam_instance_profile.app.arn
  }

  metadata_options {
    http_tokens = "optional"
  }

  dynamic "block_device_mappings" {
    for_each = var.disks
    content {
      device_name = block_device_mappings.value.name
      ebs {
        volume_size = block_device_mappings.value.size
        encrypted   = block_device_mappings.value.encrypted
      }
    }
  }
}

resource "aws_autoscaling_group" "app" {
  name_prefix         = "app-"
  min_size            = 2
  max_size            = 6
  vpc_zone_identifier = [for subnet in aws_subnet.private : subnet.id]
  launch_template {
    id      = aws_launch_template.app.id
    version = "$Latest"
  }
}

resource "aws_db_subnet_group" "main" {
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_db_instance" "main" {
  identifier              = "app"
  engine                  = "postgres"
  instance_class          = "db.t4g.medium"
  allocated_storage       = 50
  username                = "app"
  password                = var.database_password
  db_subnet_group_name    = aws_db_subnet_group.main.name
  storage_encrypted       = true
  backup_retention_period = 0
  publicly_accessible     = true
  skip_final_snapshot     = true
}

resource "aws_cloudwatch_metric_alarm" "cpu" {
  count               = var.monitoring ? 1 : 0
  alarm_name          = "app-cpu"
  namespace           = "AWS/EC2"
  metric_name         = "CPUUtilization"
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 85
  period              = 300
  evaluation_periods  = 2
  dimensions          = { AutoScalingGroupName = aws_autoscaling_group.app.name }
}
