"""Glue's transforms work on dynamic frames of the Data Catalog; scripts use Spark's own here.

The module exists because the scripts that Glue generates begin with `from awsglue.transforms import *`.
"""
