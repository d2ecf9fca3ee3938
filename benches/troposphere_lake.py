"""The yardstick: a troposphere program that writes as many resources as it is told to, of the kinds of a lake."""

import sys

from troposphere import GetAtt, Ref, Sub, Template, glue, iam, s3


def main() -> None:
    template = Template()
    count = int(sys.argv[1])
    bucket = template.add_resource(s3.Bucket("Lake"))
    role = template.add_resource(
        iam.Role("JobRole", AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": []})
    )
    for number in range(max(count - 2, 0)):
        template.add_resource(
            glue.Job(
                f"Job{number}",
                Name=f"lake-dev-job{number}",
                Role=GetAtt(role, "Arn"),
                GlueVersion="5.1",
                WorkerType="G.1X",
                NumberOfWorkers=10,
                Command=glue.JobCommand(
                    Name="glueetl", PythonVersion="3", ScriptLocation=Sub("s3://${Lake}/job.py")
                ),
                DefaultArguments={"--lake": Ref(bucket), "--enable-metrics": "true", "--job-language": "python"},
            )
        )
    sys.stdout.write(template.to_yaml())


if __name__ == "__main__":
    main()
