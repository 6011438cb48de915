"""Pipelines of code hosts, written as text: GitHub's workflow files, and the trust policy of the role they take."""
