//! The Kubernetes manifests: what keeps the nodes apart, and the time that replicas have to stop.

use std::time::Duration;

use saphyr::{LoadableYamlNode as _, YamlOwned};

use crate::{deploy, grace, read};

const FILES: [&str; 3] = ["kubernetes/redis.yaml", "kubernetes/secret.yaml", "kubernetes/reports.yaml"];

fn all() -> Vec<YamlOwned> {
    FILES.iter().flat_map(|file| YamlOwned::load_from_str(&read(&deploy(file))).unwrap()).collect()
}

/// The object of this kind and name.
pub(crate) fn object(kind: &str, name: &str) -> YamlOwned {
    let mut found = all()
        .into_iter()
        .filter(|object| text(&object["kind"]) == kind && text(&object["metadata"]["name"]) == name);
    found.next().unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

pub(crate) fn text(node: &YamlOwned) -> &str {
    node.as_str().unwrap_or_else(|| panic!("{node:?} is no text"))
}

fn number(node: &YamlOwned) -> u64 {
    node.as_integer()
        .and_then(|number| number.try_into().ok())
        .unwrap_or_else(|| panic!("{node:?} is no number"))
}

fn container(object: &YamlOwned) -> &YamlOwned {
    &object["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn every_object_has_a_kind_a_version_and_a_name() {
    let all = all();
    assert!(all.len() >= 9);
    for object in &all {
        assert!(!text(&object["apiVersion"]).is_empty() && !text(&object["metadata"]["name"]).is_empty());
    }
}

#[test]
fn five_nodes_stand_apart_and_one_at_a_time_is_taken_down() {
    let redis = object("StatefulSet", "redlock-redis");
    let spec = &redis["spec"]["template"]["spec"];
    assert_eq!(number(&redis["spec"]["replicas"]), 5);
    let apart = &spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(text(&apart["topologyKey"]), "kubernetes.io/hostname");
    let budget = object("PodDisruptionBudget", "redlock-redis");
    assert_eq!(number(&budget["spec"]["maxUnavailable"]), 1);
    for (name, value) in redis["spec"]["selector"]["matchLabels"].as_mapping().unwrap() {
        let name = text(name);
        assert_eq!(&budget["spec"]["selector"]["matchLabels"][name], value);
        assert_eq!(&redis["spec"]["template"]["metadata"]["labels"][name], value);
        assert_eq!(&apart["labelSelector"]["matchLabels"][name], value);
    }
}

#[test]
fn a_node_counts_as_ready_when_its_quarantine_is_over() {
    let file = text(&object("Secret", "redlock-client")["stringData"]["etc.toml"]).to_owned();
    let longest = file.lines().find_map(|line| line.trim().strip_prefix("maxExpiration = ")).unwrap();
    let longest = crate::seconds(longest.trim_matches('"'));
    let redis = object("StatefulSet", "redlock-redis");
    let ready = number(&container(&redis)["readinessProbe"]["initialDelaySeconds"]);
    // With its drift, and some time for clients to notice.
    assert!(Duration::from_secs(ready) >= longest + longest / 3);
    // And it is found before.
    assert_eq!(object("Service", "redlock-redis")["spec"]["publishNotReadyAddresses"].as_bool(), Some(true));
}

#[test]
fn clients_name_every_node_by_itself() {
    let redis = object("StatefulSet", "redlock-redis");
    let (name, service) = (text(&redis["metadata"]["name"]), text(&redis["spec"]["serviceName"]));
    let secret = object("Secret", "redlock-client");
    let file = text(&secret["stringData"]["etc.toml"]);
    for index in 0..number(&redis["spec"]["replicas"]) {
        assert!(file.contains(&format!("@{name}-{index}.{service}:6379\"")), "{index}: {file}");
    }
}

#[test]
fn replicas_have_longer_to_stop_than_their_work_and_do_so_without_rights() {
    let reports = object("Deployment", "reports");
    let words = container(&reports)["command"].as_sequence().unwrap();
    let words: Vec<String> = words.iter().map(|word| text(word).to_owned()).collect();
    let patience = number(&reports["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]);
    assert!(Duration::from_secs(patience) >= 2 * grace(&words));
    assert!(number(&reports["spec"]["replicas"]) >= 2);
    for object in [&reports, &object("StatefulSet", "redlock-redis")] {
        let spec = &object["spec"]["template"]["spec"];
        assert_eq!(spec["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
        assert_eq!(spec["automountServiceAccountToken"].as_bool(), Some(false));
        let rights = &container(object)["securityContext"];
        assert_eq!(rights["allowPrivilegeEscalation"].as_bool(), Some(false));
        assert_eq!(rights["readOnlyRootFilesystem"].as_bool(), Some(true));
        assert_eq!(text(&rights["capabilities"]["drop"][0]), "ALL");
        assert!(!text(&container(object)["image"]).ends_with(":latest"));
    }
}

#[test]
fn an_unhealthy_replica_is_restarted_and_a_standby_is_healthy() {
    let reports = object("Deployment", "reports");
    let probe = &container(&reports)["livenessProbe"];
    assert!(number(&probe["failureThreshold"]) * number(&probe["periodSeconds"]) >= 10);
    // A standby would never be ready, and a rollout never end.
    assert!(container(&reports).as_mapping_get("readinessProbe").is_none());
}
