"""The yardstick: a troposphere program that writes as many resources as it is told to, 500 to a template."""

import sys

from troposphere import GetAtt, Ref, Sub, Template, glue, iam, s3

LIMIT = 500


def template(first: int, count: int) -> Template:
    """A bucket, a role, and jobs numbered from `first`: `count` resources in all."""
    template = Template()
    bucket = template.add_resource(s3.Bucket("Lake"))
    trust = {"Version": "2012-10-17", "Statement": []}
    role = template.add_resource(iam.Role("JobRole", AssumeRolePolicyDocument=trust))
    for number in range(first, first + max(count - 2, 0)):
        template.add_resource(
            glue.Job(
                f"Job{number}",
                Name=f"lake-dev-job{number}",
                Role=GetAtt(role, "Arn"),
                GlueVersion="5.1",
                WorkerType="G.1X",
                NumberOfWorkers=10,
                Command=glue.JobCommand(Name="glueetl", PythonVersion="3", ScriptLocation=Sub("s3://${Lake}/job.py")),
                DefaultArguments={"--lake": Ref(bucket), "--enable-metrics": "true", "--job-language": "python"},
            )
        )
    return template


def main() -> None:
    count = int(sys.argv[1])
    for first in range(0, count, LIMIT):
        sys.stdout.write(template(first, min(LIMIT, count - first)).to_yaml())


if __name__ == "__main__":
    main()
