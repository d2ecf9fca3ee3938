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
    """Deletes a version and all before it: a recipe that has published versions cannot be deleted itself.

    After an update this is the version that no job runs any more, and the newer one stays.
    """
    recipe, _, last = published.partition(":")
    with contextlib.suppress(databrew.exceptions.ResourceNotFoundException):
        for page in databrew.get_paginator("list_recipe_versions").paginate(Name=recipe) if last else []:
            for version in [found["RecipeVersion"] for found in page["Recipes"]]:
                if number(version) <= number(last):
                    databrew.delete_recipe_version(Name=recipe, RecipeVersion=version)


def number(version):
    return [int(part) for part in version.split(".")]
