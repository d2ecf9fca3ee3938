"""Buckets as CloudFormation deletes them: only empty ones. MiniStack would drop the objects along with the bucket."""

from ministack.services import s3
from ministack.services.cloudformation import provisioners


def register() -> None:
    handler = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    drop = handler["delete"]

    def delete(physical_id: str, properties: dict) -> None:
        if holds_something(physical_id):
            raise ValueError(
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket. "
                "(Service: Amazon S3; Status Code: 409; Error Code: BucketNotEmpty)"
            )
        drop(physical_id, properties)

    handler["delete"] = delete


def holds_something(bucket: str) -> bool:
    return bool(s3._buckets.get(bucket, {}).get("objects")) or any(s3._object_versions.get(bucket, {}).values())
