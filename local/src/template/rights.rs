//! What the template allows each function. Anything that could allow more and is not understood is refused.

use super::Reader;
use super::resolve::{ACCOUNT, REGION, STACK};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Resources that could give a role rights past its function's `Policies`.
const ATTACHED_FROM_OUTSIDE: [&str; 5] = [
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::UserPolicy",
    "AWS::Serverless::Connector",
];

impl Reader<'_> {
    /// The rights of a function: of its own statements, and of the policies of this template that it refers to. One is
    /// an action with a table and a kind of partition keys, `dynamodb:Query ChatTable ROOM#*`, with a bucket and a kind of
    /// objects, `s3:GetObject FilesBucket rooms/*`, or with what follows the
    /// API's stage, `execute-api:ManageConnections POST/@connections/*`, or with a function, `lambda:InvokeFunction SendMessageFunction`.
    pub(super) fn rights(&self, id: &str, function: &Value) -> Result<BTreeSet<String>> {
        for name in ["Role", "PermissionsBoundary", "ManagedPolicyArns"] {
            ensure!(function[name].is_null(), "a {name} of its own is more than the local run understands");
        }
        let mut rights = BTreeSet::new();
        for policy in one_or_more(&function["Policies"]) {
            let Some(policy) = self.chosen(policy)? else { continue };
            let policy = object(policy).context("a policy")?;
            let statements = match policy.get("Ref").and_then(Value::as_str) {
                Some(shared) if policy.len() == 1 => self.shared(shared)?,
                _ => fields(policy, &["Statement", "Version"])?["Statement"].clone(),
            };
            ensure!(!statements.is_null(), "a policy has no Statement");
            for statement in one_or_more(&statements) {
                rights.extend(self.rights_of(object(statement).context("a statement")?)?);
            }
        }
        for policy in self.attached(id) {
            for statement in one_or_more(&self.shared(policy)?) {
                rights.extend(self.rights_of(object(statement).context("a statement")?)?);
            }
        }
        Ok(rights)
    }

    /// The policy that a condition chooses; none if it leaves the policy out.
    fn chosen<'b>(&self, policy: &'b Value) -> Result<Option<&'b Value>> {
        let Some([condition, yes, no]) = policy["Fn::If"].as_array().map(Vec::as_slice) else {
            return Ok(Some(policy));
        };
        let condition = condition.as_str().context("Fn::If takes a condition's name")?;
        let chosen = if self.resolver.condition(condition)? { yes } else { no };
        Ok((chosen["Ref"] != "AWS::NoValue").then_some(chosen))
    }

    /// The policies that refer to the role of a function: those that refer to the function as well, which cannot refer to
    /// them.
    fn attached(&self, function: &str) -> impl Iterator<Item = &str> {
        let role = format!("{function}Role");
        let refers = move |policy: &Value| one_or_more(&policy["Roles"]).iter().any(|to| to["Ref"] == role.as_str());
        let policies = self.resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::IAM::ManagedPolicy");
        policies.filter(move |(_, policy)| refers(&policy["Properties"])).map(|(id, _)| id.as_str())
    }

    /// Whether something is a reference to the role that SAM makes for a function.
    fn is_role_of_function(&self, role: &Value) -> bool {
        let id = role["Ref"].as_str().and_then(|role| role.strip_suffix("Role"));
        id.is_some_and(|id| self.of_type("AWS::Serverless::Function").any(|(function, _)| function == id))
    }

    /// Fails if something of this template gives rights in another way than a function's `Policies`.
    pub(super) fn check_no_other_rights(&self) -> Result<()> {
        ensure!(self.globals["Policies"].is_null(), "SAM takes no Policies from Globals");
        for (id, resource) in self.resources {
            let kind = resource["Type"].as_str().unwrap_or_default();
            ensure!(!ATTACHED_FROM_OUTSIDE.contains(&kind), "{id}: {kind} is more than the local run understands");
            ensure!(resource["Connectors"].is_null(), "{id}: Connectors are more than the local run understands");
            let of_its_own = &resource["Properties"]["ResourcePolicy"];
            ensure!(of_its_own.is_null(), "{id}: a ResourcePolicy is more than the local run understands");
            let properties = &resource["Properties"];
            let roles = one_or_more(&properties["Roles"]);
            let to_others = ["Users", "Groups"].iter().any(|to| !properties[to].is_null())
                || (!properties["Roles"].is_null() && !roles.iter().all(|role| self.is_role_of_function(role)));
            let denies = |statement: &Value| statement["Effect"] == "Deny";
            let only_denies = one_or_more(&properties["PolicyDocument"]["Statement"]).iter().all(denies);
            ensure!(
                kind != "AWS::S3::BucketPolicy" || only_denies,
                "{id}: a bucket's policy takes rights, and gives none"
            );
            ensure!(kind != "AWS::IAM::ManagedPolicy" || !to_others, "{id}: a policy refers to functions' roles alone");
        }
        Ok(())
    }

    /// The statements of a policy of this template.
    fn shared(&self, id: &str) -> Result<Value> {
        let resource = self.resources.get(id).with_context(|| format!("there is no policy {id}"))?;
        ensure!(resource["Type"] == "AWS::IAM::ManagedPolicy", "{id} is no policy");
        ensure!(self.is_made(resource), "{id}: a condition leaves the policy out");
        let properties = object(&resource["Properties"]).with_context(|| id.to_owned())?;
        let properties =
            fields(properties, &["Description", "PolicyDocument", "Roles"]).with_context(|| id.to_owned())?;
        Ok(properties.get("PolicyDocument").map_or(Value::Null, |document| document["Statement"].clone()))
    }

    fn rights_of(&self, statement: &Map<String, Value>) -> Result<Vec<String>> {
        let statement = fields(statement, &["Effect", "Action", "Resource", "Condition"])?;
        let part = |name: &str| statement.get(name).unwrap_or(&Value::Null);
        ensure!(part("Effect") == "Allow", "a statement that does not allow is more than the local run understands");
        let mut rights = Vec::new();
        for action in one_or_more(part("Action")) {
            let action = self.resolver.text(action).context("an action")?;
            ensure!(!action.contains('*'), "{action}: name the actions");
            for resource in one_or_more(part("Resource")) {
                let resource = self.resolver.text(resource).with_context(|| format!("{action}: a resource"))?;
                match action.split_once(':') {
                    Some(("dynamodb", _)) => {
                        let table = self.table_of(&resource)?;
                        let kinds = kinds(part("Condition")).with_context(|| format!("{action} {table}"))?;
                        rights.extend(kinds.iter().map(|kind| format!("{action} {table} {kind}")));
                    }
                    Some(("execute-api", _)) => {
                        ensure!(part("Condition").is_null(), "{action}: no condition is expected");
                        rights.push(format!("{action} {}", self.call_of(&resource)?));
                    }
                    Some(("lambda", "InvokeFunction")) => {
                        ensure!(part("Condition").is_null(), "{action}: no condition is expected");
                        rights.push(format!("{action} {}", self.invoked(&resource)?));
                    }
                    Some(("s3", _)) => {
                        ensure!(part("Condition").is_null(), "{action}: no condition is expected");
                        rights.push(format!("{action} {}", self.files_of(&resource)?));
                    }
                    _ => bail!("{action} is more than the local run understands"),
                }
            }
        }
        ensure!(!rights.is_empty(), "a statement allows nothing");
        Ok(rights)
    }

    /// The logical id of a table by its ARN, or of an index of it: `ConnectionsTable/index/KeptAlive`.
    fn table_of<'b>(&self, arn: &'b str) -> Result<&'b str> {
        let path = arn.strip_prefix(&format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/")).unwrap_or_default();
        let (id, index) = path.split_once("/index/").map_or((path, None), |(id, index)| (id, Some(index)));
        match self.resources.get(id) {
            Some(resource) if resource["Type"] == "AWS::DynamoDB::Table" => {
                let indexes = self.resolver.resolve(&resource["Properties"]["GlobalSecondaryIndexes"])?;
                let has = |name| indexes.as_array().into_iter().flatten().any(|index| index["IndexName"] == name);
                ensure!(index.is_none_or(has), "{id} has no such index: {path}");
                Ok(path)
            }
            _ => bail!("{arn} is no table of this template"),
        }
    }

    /// The logical id of a bucket, and which of its objects: `FilesBucket rooms/*`.
    fn files_of(&self, arn: &str) -> Result<String> {
        let (id, objects) = arn.strip_prefix("arn:aws:s3:::").and_then(|path| path.split_once('/')).unwrap_or_default();
        let is_bucket = self.of_type("AWS::S3::Bucket").any(|(bucket, _)| bucket == id);
        ensure!(is_bucket, "{arn} is no object of a bucket of this template");
        let is_kind = objects.len() > 2 && objects.find('*') == Some(objects.len() - 1) && objects.ends_with("/*");
        ensure!(is_kind, "{arn}: a kind of objects is a folder, with /* after it");
        Ok(format!("{id} {objects}"))
    }

    /// The logical id of a function by its ARN. One that names itself cannot ask for its own, and has what CloudFormation
    /// makes of its id: `<stack>-<id>-*`.
    fn invoked<'b>(&'b self, arn: &'b str) -> Result<&'b str> {
        let name = arn.strip_prefix(&format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:")).unwrap_or_default();
        let made = name.strip_prefix(&format!("{STACK}-")).and_then(|name| name.strip_suffix("-*"));
        let id = made.unwrap_or(name);
        let is_function = |id: &str| self.of_type("AWS::Serverless::Function").any(|(function, _)| function == id);
        let is_one = arn.starts_with("arn:aws:lambda:") && !arn.contains('*');
        let given = self.resolver.parameter_of(arn).filter(|_| is_one);
        match given {
            // A function of somebody else's, by a parameter.
            Some(parameter) => Ok(parameter),
            None => {
                ensure!(is_function(id), "{arn} is no function of this template");
                Ok(id)
            }
        }
    }

    /// Verb and path of a call, by the ARN of this template's WebSocket API and stage.
    fn call_of<'b>(&self, arn: &'b str) -> Result<&'b str> {
        let (api, properties) = self.only("AWS::Serverless::WebSocketApi")?;
        let stage = self.resolver.text(&properties["StageName"])?;
        arn.strip_prefix(&format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/{stage}/"))
            .with_context(|| format!("{arn} is no call of this template's API and stage"))
    }
}

/// The kinds of partition keys that a condition limits a statement to. Every right to rows must be limited.
fn kinds(condition: &Value) -> Result<Vec<&str>> {
    let only =
        |value: &'_ Value, name: &str| object(value).is_ok_and(|object| object.len() == 1 && object.contains_key(name));
    let operator = "ForAllValues:StringLike";
    ensure!(
        only(condition, operator) && only(&condition[operator], "dynamodb:LeadingKeys"),
        "its one condition must be {operator} dynamodb:LeadingKeys"
    );
    let keys = one_or_more(&condition[operator]["dynamodb:LeadingKeys"]).iter().map(Value::as_str);
    let is_kind = |key: &str| key.len() > 2 && key.find('*') == Some(key.len() - 1) && key.ends_with("#*");
    let is_name = |key: &str| !key.is_empty() && !key.contains(['*', '#', '?']);
    let kinds = keys.map(|key| key.filter(|key| is_kind(key) || is_name(key)));
    let kinds: Option<Vec<_>> = kinds.collect();
    kinds.filter(|kinds| !kinds.is_empty()).context("a kind of keys is a name, with #* after it if there are many")
}

/// A list, or what may stand for a list of one; nothing if it is not there.
fn one_or_more(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        single => std::slice::from_ref(single),
    }
}

pub(super) fn object(value: &Value) -> Result<&Map<String, Value>> {
    value.as_object().with_context(|| format!("{value} is more than the local run understands"))
}

/// The object, if it has no other fields than these.
pub(super) fn fields<'a>(object: &'a Map<String, Value>, known: &[&str]) -> Result<&'a Map<String, Value>> {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => bail!("{name} is more than the local run understands here"),
        None => Ok(object),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TEMPLATE, parse};

    #[test]
    fn a_function_has_its_own_rights_and_those_of_the_policies_that_it_names() {
        let template = parse(TEMPLATE).expect("parses");
        let rights = &template.functions["SendMessageFunction"].rights;
        for right in [
            "dynamodb:PutItem ChatTable ROOM#*",
            "dynamodb:Query ConnectionsTable ROOM#*",
            "execute-api:ManageConnections DELETE/@connections/*",
        ] {
            assert!(rights.contains(right), "{right}: {rights:?}");
        }
        assert!(template.functions["AuthorizeFunction"].rights.is_empty());
    }

    #[test]
    fn a_right_to_invoke_names_a_function() {
        let with = |resource: &str| {
            let policy = "Policies: [!Ref DismissConnections]";
            let allows = format!("{{ Effect: Allow, Action: lambda:InvokeFunction, Resource: {resource} }}");
            parse(&TEMPLATE.replacen(policy, &format!("Policies: [{{ Statement: [{allows}] }}]"), 1))
        };
        let of_itself = "!Sub \"arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-PLACE-*\"";
        for resource in ["!GetAtt SendMessageFunction.Arn", &of_itself.replace("PLACE", "SendMessageFunction")] {
            let template = with(resource).expect(resource);
            let has = |right| template.functions.values().any(|function| function.rights.contains(right));
            assert!(has("lambda:InvokeFunction SendMessageFunction"), "{resource}");
        }
        for resource in ["\"*\"", "!GetAtt ChatTable.Arn", &of_itself.replace("PLACE-", ""), "!Ref SendMessageFunction"]
        {
            let error = with(resource).expect_err(resource);
            assert!(format!("{error:#}").contains("is no function of this template"), "{error:#}");
        }
    }

    #[test]
    fn what_could_give_another_right_is_refused() {
        // Not the first, which is of the boundary.
        let object = "Action: s3:PutObject\n              Resource: !Sub \"${FilesBucket.Arn}/rooms/*\"".to_owned();
        for (from, to, said) in [
            ("Policies: [!Ref DismissConnections]", "Policies: AmazonDynamoDBFullAccess", "AmazonDynamoDBFullAccess"),
            (
                "Policies: [!Ref DismissConnections]",
                "Policies: [DynamoDBCrudPolicy: { TableName: t }]",
                "DynamoDBCrudPolicy is more",
            ),
            ("Policies: [!Ref DismissConnections]", "Policies: [!Ref Stage]", "there is no policy Stage"),
            ("Policies: [!Ref DismissConnections]", "Policies: [!Ref ChatTable]", "ChatTable is no policy"),
            ("Policies: [!Ref DismissConnections]", "Role: !GetAtt LogRole.Arn", "a Role of its own"),
            ("Action: dynamodb:PutItem", "NotAction: dynamodb:PutItem", "NotAction is more than"),
            ("Action: dynamodb:PutItem", "Action: \"dynamodb:*\"", "name the actions"),
            ("Action: dynamodb:PutItem", "Action: sqs:SendMessage", "sqs:SendMessage is more than"),
            ("Action: dynamodb:PutItem", "Action: s3:PutObject", "s3:PutObject: no condition is expected"),
            (&object, &object.replace("rooms/*", "*"), "a kind of objects is a folder"),
            (&object, &object.replace("FilesBucket", "ChatTable"), "is no object of a bucket of this template"),
            ("Effect: Deny\n", "Effect: Allow\n", "a bucket's policy takes rights, and gives none"),
            ("\"ROOM#*\"", "\"*\"", "a kind of keys is a name"),
            ("ForAllValues:StringLike", "ForAnyValue:StringLike", "its one condition must be"),
            ("${ChatApi}/${Stage}/DELETE", "*/${Stage}/DELETE", "is no call of this template's API and stage"),
            ("Type: AWS::IAM::Role\n", "Type: AWS::IAM::Policy\n", "AWS::IAM::Policy is more than"),
            ("Type: AWS::IAM::Role\n", "Type: AWS::Serverless::Connector\n", "AWS::Serverless::Connector is more than"),
            (
                "    Type: AWS::IAM::Role\n",
                "    Connectors: {}\n    Type: AWS::IAM::Role\n",
                "Connectors are more than",
            ),
            (
                "      DeletionProtectionEnabled: true\n",
                "      DeletionProtectionEnabled: true\n      ResourcePolicy: {}\n",
                "a ResourcePolicy is more than",
            ),
            (
                "Description: Updates a user's profile",
                "Roles: [!Ref LogRole]\n      Description: Updates a user's profile",
                "a policy refers to functions' roles alone",
            ),
        ] {
            assert!(TEMPLATE.contains(from), "{from}");
            let error = parse(&TEMPLATE.replacen(from, to, 1)).expect_err(said);
            assert!(format!("{error:#}").contains(said), "{error:#}");
        }
    }
}
