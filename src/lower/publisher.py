"""Publishes a DataBrew recipe: CloudFormation writes recipes, but jobs run only published versions."""

import contextlib

import boto3
import cfnresponse

databrew = boto3.client("databrew")


def handler(event, context):
    recipe = event["ResourceProperties"]["Recipe"]
    published = event.get("PhysicalResourceId", recipe)
    try:
        if event["RequestType"] == "Delete":
            retire(published)
            data = {}
        else:
            databrew.publish_recipe(Name=recipe)
            version = databrew.describe_recipe(Name=recipe)["RecipeVersion"]
            published = f"{recipe}:{version}"
            data = {"Version": version}
        cfnresponse.send(event, context, cfnresponse.SUCCESS, data, published)
    except Exception as error:
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, published, reason=f"{recipe}: {error}")


def retire(published):
    recipe, _, version = published.partition(":")
    if version:
        with contextlib.suppress(databrew.exceptions.ResourceNotFoundException):
            databrew.delete_recipe_version(Name=recipe, RecipeVersion=version)
