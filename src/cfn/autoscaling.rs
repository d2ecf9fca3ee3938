//! Application Auto Scaling.

use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Attribute, Text, Value};

resource! {
    /// Something that scales, and how far. `Ref` is its id.
    "AWS::ApplicationAutoScaling::ScalableTarget" ScalableTarget {
        namespace: &'static str = "ServiceNamespace",
        dimension: &'static str = "ScalableDimension",
        resource: Value<Text> = "ResourceId",
        min: u32 = "MinCapacity",
        max: u32 = "MaxCapacity",
    }
}

impl Ref<ScalableTarget> {
    /// Its id.
    pub fn target(&self) -> Value<Attribute<ScalableTarget>> {
        self.reference()
    }
}

resource! {
    /// By what it scales.
    "AWS::ApplicationAutoScaling::ScalingPolicy" ScalingPolicy {
        name: String = "PolicyName",
        kind: &'static str = "PolicyType",
        target: Value<Attribute<ScalableTarget>> = "ScalingTargetId",
        tracking: TargetTracking = "TargetTrackingScalingPolicyConfiguration",
    }
}

shape! {
    /// A number that is kept near a value.
    TargetTracking {
        metric: PredefinedMetric = "PredefinedMetricSpecification",
        value: u32 = "TargetValue",
        scale_in_cooldown_seconds: u32 = "ScaleInCooldown",
        scale_out_cooldown_seconds: u32 = "ScaleOutCooldown",
    }
}

shape! {
    /// A number that AWS reckons.
    PredefinedMetric { kind: &'static str = "PredefinedMetricType" }
}
