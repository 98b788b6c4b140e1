//! Prometheus rules and the Grafana dashboard, against the table of metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

use crate::{deploy, is_installed, page, read};

/// Every metric of the table: its labels, each with its words.
fn metrics() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let rows = page::table("| metric |").into_iter().map(|row| {
        let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for label in row[3].split(';').filter(|label| !label.trim().is_empty()) {
            let (name, words) = label.split_once(':').unwrap_or((label, ""));
            let words = words.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty());
            labels.insert(name.trim().to_owned(), words.collect());
        }
        if row[1] == "histogram" {
            labels.insert("le".to_owned(), BTreeSet::new());
        }
        (row[0].clone(), labels)
    });
    rows.collect()
}

/// The metrics in an expression, with what stands in braces behind each.
fn named(expression: &str) -> Vec<(String, String)> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    expression
        .match_indices("redlock_")
        .map(|(index, _)| {
            let rest = &expression[index..];
            let end = rest.find(|character| !is_name(character)).unwrap_or(rest.len());
            let braces = rest[end..]
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .map_or("", |(inside, _)| inside);
            (rest[..end].to_owned(), braces.to_owned())
        })
        .collect()
}

/// The name of a metric in the table, without what a histogram's series are called by.
fn base(name: &str) -> &str {
    let suffix = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
    suffix.filter(|base| base.ends_with("_seconds") || base.ends_with("_rounds")).unwrap_or(name)
}

/// Fails where an expression names a metric, label or word that the table does not have.
fn is_in_the_table(expression: &str) {
    let metrics = metrics();
    for (name, braces) in named(expression) {
        let labels = metrics.get(base(&name)).unwrap_or_else(|| panic!("{name} is no metric: {expression}"));
        for matcher in braces.split(", ").filter(|matcher| !matcher.is_empty()) {
            let (label, value) = matcher.split_once(['=', '!']).unwrap();
            let value = value.trim_start_matches(['=', '~']).trim_matches('"');
            if ["job", "instance"].contains(&label) {
                continue;
            }
            let words =
                labels.get(label).unwrap_or_else(|| panic!("{name} has no label {label}: {expression}"));
            let unknown = value.split('|').find(|word| !words.is_empty() && !words.contains(*word));
            assert_eq!(unknown, None, "{name} has no such {label}: {expression}");
        }
    }
}

struct Rule {
    name: String,
    expression: String,
    severity: String,
}

fn rules() -> Vec<Rule> {
    let text = read(&deploy("prometheus-rules.yaml"));
    let documents = Yaml::load_from_str(&text).unwrap();
    let groups = documents[0]["groups"].as_sequence().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_sequence().unwrap());
    rules
        .map(|rule| Rule {
            name: rule["alert"].as_str().unwrap().to_owned(),
            expression: rule["expr"].as_str().unwrap().to_owned(),
            severity: rule["labels"]["severity"].as_str().unwrap().to_owned(),
        })
        .collect()
}

#[test]
fn alarms_are_about_metrics_that_there_are() {
    for rule in rules() {
        assert!(!named(&rule.expression).is_empty(), "{}", rule.name);
        is_in_the_table(&rule.expression);
    }
}

#[test]
fn each_alarm_has_a_row_that_says_what_to_do_and_how_urgent_it_is() {
    let told: BTreeMap<String, String> =
        page::table("| alarm |").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let there_are: BTreeMap<String, String> =
        rules().into_iter().map(|rule| (rule.name, rule.severity)).collect();
    assert_eq!(told, there_are, "the page (left) and the rules (right)");
}

#[test]
fn prometheus_takes_the_rules_and_each_is_raised_by_what_it_is_for() {
    let tests = read(&deploy("prometheus-rules.test.yaml"));
    for rule in rules() {
        assert!(tests.contains(&rule.name), "{} has no test", rule.name);
    }
    if !is_installed("promtool") {
        return;
    }
    for arguments in
        [["check", "rules", "prometheus-rules.yaml"], ["test", "rules", "prometheus-rules.test.yaml"]]
    {
        let ran = Command::new("promtool").args(arguments).current_dir(deploy("")).output().unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard: Value = serde_json::from_str(&read(&deploy("grafana-dashboard.json"))).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    let mut shown = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            is_in_the_table(expression);
            shown.extend(named(expression).into_iter().map(|(name, _)| base(&name).to_owned()));
        }
    }
    let variables = dashboard["templating"]["list"].to_string();
    named(&variables).iter().for_each(|(name, _)| is_in_the_table(name));
    assert_eq!(
        metrics().into_keys().collect::<BTreeSet<_>>(),
        shown,
        "the table (left), and the dashboard (right)"
    );
}
