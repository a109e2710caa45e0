//! What one method of one path does, as its module says it beside the route.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::feed::cursor;
use crate::http::problem::Code;
use crate::http::query::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::schema::Instant;

/// Makes the schema of a type, and keeps those it refers to.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// Groups of operations, in the order of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// What a wallet holds and held.
    Wallets,
    /// What the assistant service does.
    Spending,
    /// What an administrator does to credits.
    ByHand,
    /// Who there is.
    Accounts,
    /// The shops themselves.
    Shops,
    /// What a shop sends, and what came of it.
    Orders,
    /// The program itself.
    Daemon,
}

impl Tag {
    /// All of them.
    pub(super) const ALL: [Self; 7] = [
        Self::Wallets,
        Self::Spending,
        Self::ByHand,
        Self::Accounts,
        Self::Shops,
        Self::Orders,
        Self::Daemon,
    ];

    /// Its name, and what it is about.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Wallets => ("Wallets", "What a wallet holds, where it came from and where it went."),
            Self::Spending => ("Spending", "What the assistant service does."),
            Self::ByHand => ("Credits by hand", "What an administrator does to credits."),
            Self::Accounts => ("Accounts and sites", "Who there is, and which websites belong to whom."),
            Self::Shops => ("Shops", "Which shops there are, how they stand, and how they are paired."),
            Self::Orders => ("Orders", "What a shop sends, and what came of it."),
            Self::Daemon => ("The daemon", "Health, counts and this document."),
        }
    }
}

/// Who may ask.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// Everybody.
    Open,
    /// A key with one of these scopes.
    Key(&'static [&'static str]),
    /// Whoever is on the daemon's machine, else an admin's key.
    Here,
    /// Whoever knows a store's secret.
    Signed,
}

/// Whether a request has an `Idempotency-Key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    None,
    Optional,
    Required,
}

/// A part of the path, the query or the head.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: &'static str,
    pub(super) required: bool,
    pub(super) what: String,
    pub(super) shape: Kind,
    pub(super) example: Option<Value>,
}

/// What a value looks like.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Type(Shape),
    Literal(Value),
    List(Object, usize),
}

impl Kind {
    pub(super) fn schema(&self, generator: &mut SchemaGenerator) -> Value {
        match self {
            Self::Type(shape) => shape(generator).to_value(),
            Self::Literal(schema) => schema.clone(),
            Self::List(object, most) => {
                json!({ "type": "array", "items": object.schema(generator), "maxItems": most })
            }
        }
    }
}

/// A field of a request's JSON object.
#[derive(Clone, Debug)]
pub struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    what: &'static str,
    kind: Kind,
}

impl Field {
    /// A field that must be there.
    #[must_use]
    pub fn required<T: JsonSchema>(name: &'static str, what: &'static str) -> Self {
        Self { name, required: true, what, kind: Kind::Type(SchemaGenerator::subschema_for::<T>) }
    }

    /// A field that may be left out or `null`.
    #[must_use]
    pub fn optional<T: JsonSchema>(name: &'static str, what: &'static str) -> Self {
        let kind = Kind::Type(|generator| nullable(&generator.subschema_for::<T>()));
        Self { name, required: false, what, kind }
    }

    /// A text of one line, of `min` to `max` characters once it is trimmed; it must be there if `min` is not 0.
    #[must_use]
    pub fn line(name: &'static str, what: &'static str, min: usize, max: usize) -> Self {
        // No control characters; not only spaces where there must be something.
        let pattern = if min == 0 {
            r"^[^\x00-\x1f\x7f-\x9f]*$"
        } else {
            r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
        };
        let kind = if min == 0 { json!(["string", "null"]) } else { json!("string") };
        let schema = json!({ "type": kind, "minLength": min, "maxLength": max, "pattern": pattern });
        Self { name, required: min != 0, what, kind: Kind::Literal(schema) }
    }

    /// A list of at most `most` objects, which must be there.
    #[must_use]
    pub fn list(name: &'static str, what: &'static str, object: Object, most: usize) -> Self {
        Self { name, required: true, what, kind: Kind::List(object, most) }
    }

    /// A field whose schema no type has.
    #[must_use]
    pub fn literal(name: &'static str, what: &'static str, schema: Value) -> Self {
        Self { name, required: false, what, kind: Kind::Literal(schema) }
    }

    /// It must be there, be it `null`.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) fn schema(&self, generator: &mut SchemaGenerator) -> Value {
        let mut schema = self.kind.schema(generator);
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), self.what.into());
        }
        schema
    }
}

fn nullable(schema: &Schema) -> Schema {
    schemars::json_schema!({ "anyOf": [schema, { "type": "null" }] })
}

/// A JSON object of a request.
#[derive(Clone, Debug)]
pub struct Object {
    fields: Vec<Field>,
    either: &'static [&'static [&'static str]],
    some_of: &'static [&'static str],
}

impl Object {
    /// An object with these fields and no others.
    #[must_use]
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields, either: &[], some_of: &[] }
    }

    /// Exactly one of these sets of fields must be there.
    #[must_use]
    pub fn either(mut self, either: &'static [&'static [&'static str]]) -> Self {
        self.either = either;
        self
    }

    /// At least one of these fields must be there.
    #[must_use]
    pub fn some_of(mut self, names: &'static [&'static str]) -> Self {
        self.some_of = names;
        self
    }

    /// One field more.
    #[must_use]
    pub fn and(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    pub(super) fn schema(&self, generator: &mut SchemaGenerator) -> Value {
        let properties: Map<String, Value> =
            self.fields.iter().map(|field| (field.name.to_owned(), field.schema(generator))).collect();
        let required: Vec<&str> =
            self.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if let Value::Object(schema) = &mut schema {
            if !required.is_empty() {
                schema.insert("required".to_owned(), json!(required));
            }
            if !self.some_of.is_empty() {
                let any = self.some_of.iter().map(|name| json!({ "required": [name] }));
                schema.insert("anyOf".to_owned(), any.collect());
            }
            if !self.either.is_empty() {
                let sets = self.either.iter().map(|these| one_of(these, self.either));
                schema.insert("oneOf".to_owned(), sets.collect());
            }
        }
        schema
    }
}

/// That `these` fields are there, and not the first of any other set: that is what tells the sets apart.
fn one_of(these: &[&str], all: &[&[&str]]) -> Value {
    let mut properties = Map::new();
    for name in these {
        properties.insert((*name).to_owned(), json!({ "not": { "type": "null" } }));
    }
    for other in all.iter().filter(|other| **other != these) {
        if let Some(first) = other.first() {
            properties.insert((*first).to_owned(), json!({ "type": "null" }));
        }
    }
    json!({ "required": these, "properties": properties })
}

/// A request's body.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// One JSON object, and an example of it.
    Json(Object, Value),
    /// The same, or nothing at all.
    JsonOrNothing(Object, Value),
    /// Nothing, or an empty object.
    Empty,
    /// Whatever a shop sends.
    Shop,
}

/// An answer that is what was asked for.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) what: &'static str,
    /// Its content type, shape and example; none without a body.
    pub(super) contents: Vec<(&'static str, Kind, Option<Value>)>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

/// What one method of one path does.
#[derive(Clone, Debug)]
pub struct Operation {
    pub(super) tag: Tag,
    pub(super) summary: &'static str,
    pub(super) description: Option<&'static str>,
    pub(super) access: Access,
    pub(super) key: Key,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    pub(super) refusals: Vec<Code>,
}

/// The scopes that may read a wallet or a hold they see.
pub const READ: &[&str] = &["admin", "debit", "account", "client", "site"];
/// The scopes that may read what an account has about its sites and orders.
pub const OWN: &[&str] = &["admin", "account"];
/// The scopes that may spend.
pub const SPEND: &[&str] = &["admin", "debit"];
/// The scopes that may change anything.
pub const ADMIN: &[&str] = &["admin"];

impl Operation {
    /// An operation for administrators, unless something else is said.
    #[must_use]
    pub fn new(tag: Tag, summary: &'static str) -> Self {
        Self {
            tag,
            summary,
            description: None,
            access: Access::Key(ADMIN),
            key: Key::None,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Says more, in plain words.
    #[must_use]
    pub fn describe(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    /// For keys with one of `scopes`.
    #[must_use]
    pub fn scopes(mut self, scopes: &'static [&'static str]) -> Self {
        self.access = Access::Key(scopes);
        self
    }

    /// For everybody.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.access = Access::Open;
        self
    }

    /// For whoever is on the daemon's machine, else for administrators.
    #[must_use]
    pub fn here(mut self) -> Self {
        self.access = Access::Here;
        self
    }

    /// For a shop: the body as it comes, signed with the store's secret.
    #[must_use]
    pub fn signed(mut self) -> Self {
        self.access = Access::Signed;
        self.body = Some(Body::Shop);
        self
    }

    /// A part of the path.
    #[must_use]
    pub fn path<T: JsonSchema>(self, name: &'static str, what: &str, example: &str) -> Self {
        let kind = Kind::Type(SchemaGenerator::subschema_for::<T>);
        self.parameter(Parameter {
            name,
            place: "path",
            required: true,
            what: what.to_owned(),
            shape: kind,
            example: Some(example.into()),
        })
    }

    /// `{wallet}` in the path, read by whoever sees it: also by a website with its site's key.
    #[must_use]
    pub fn wallet(self) -> Self {
        let told = "Where the website is that asks with its site's key, as a URL; the key is good for the first one that says so.";
        self.scopes(READ).wallet_path().header("X-Site-Origin", false, told)
    }

    fn wallet_path(self) -> Self {
        let schema = json!({ "type": "string", "pattern": "^(me|site:.+|account:.+)$" });
        self.parameter(Parameter {
            name: "wallet",
            place: "path",
            required: true,
            what: "`me` (what the key's scope says), `site:SITE` or `account:ACC`; ACC is an account's id or `STORE:customer:ID` or `STORE:email:ADDRESS`.".to_owned(),
            shape: Kind::Literal(schema),
            example: Some("site:site-123".into()),
        })
    }

    /// A parameter of the query.
    #[must_use]
    pub fn query<T: JsonSchema>(self, name: &'static str, what: &str) -> Self {
        self.in_query(name, what, Kind::Type(SchemaGenerator::subschema_for::<T>), None)
    }

    /// A parameter of the query that is any text of at most `max` characters.
    #[must_use]
    pub fn query_text(self, name: &'static str, what: &str, max: usize) -> Self {
        self.in_query(name, what, Kind::Literal(json!({ "type": "string", "maxLength": max })), None)
    }

    /// A parameter of the query with a schema of its own.
    #[must_use]
    pub fn query_literal(self, name: &'static str, what: &str, schema: Value) -> Self {
        self.in_query(name, what, Kind::Literal(schema), None)
    }

    /// A parameter of the query that is one of `words`.
    #[must_use]
    pub fn query_word(self, name: &'static str, what: &str, words: &[&str]) -> Self {
        self.in_query(name, what, Kind::Literal(json!({ "type": "string", "enum": words })), None)
    }

    /// A parameter that must be there.
    #[must_use]
    pub fn query_required<T: JsonSchema>(self, name: &'static str, what: &str, example: &str) -> Self {
        let shape = Kind::Type(SchemaGenerator::subschema_for::<T>);
        let mut done = self.in_query(name, what, shape, Some(example.into()));
        if let Some(parameter) = done.parameters.last_mut() {
            parameter.required = true;
        }
        done
    }

    /// `from` and `to`.
    #[must_use]
    pub fn range(self) -> Self {
        self.query::<Instant>("from", "Not before this instant.")
            .query::<Instant>("to", "Before this instant.")
    }

    /// `limit` and `cursor`: the answer is a page of a list.
    #[must_use]
    pub fn pages(self) -> Self {
        let limit =
            json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT });
        let cursor = json!({ "type": "string", "minLength": 1, "maxLength": cursor::LENGTH_MAX });
        self.in_query("limit", "How many items the page has at most.", Kind::Literal(limit), None).in_query(
            "cursor",
            "`next_cursor` of the page before, as it was; or `prev_cursor` of the page after, where there is one.",
            Kind::Literal(cursor),
            None,
        )
    }

    /// `Idempotency-Key` is taken.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.key = Key::Optional;
        self
    }

    /// `Idempotency-Key` is required.
    #[must_use]
    pub fn only_once(mut self) -> Self {
        self.key = Key::Required;
        self
    }

    /// A header of the request.
    #[must_use]
    pub fn header(self, name: &'static str, required: bool, what: &str) -> Self {
        self.parameter(Parameter {
            name,
            place: "header",
            required,
            what: what.to_owned(),
            shape: Kind::Literal(json!({ "type": "string" })),
            example: None,
        })
    }

    fn in_query(self, name: &'static str, what: &str, shape: Kind, example: Option<Value>) -> Self {
        let what = what.to_owned();
        self.parameter(Parameter { name, place: "query", required: false, what, shape, example })
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The body is a JSON object of `fields`.
    #[must_use]
    pub fn takes(self, fields: Vec<Field>, example: Value) -> Self {
        self.takes_object(Object::new(fields), example)
    }

    /// The body is a JSON object of `fields`, none of which must be there, or empty.
    #[must_use]
    pub fn may_take(mut self, fields: Vec<Field>, example: Value) -> Self {
        self.body = Some(Body::JsonOrNothing(Object::new(fields), example));
        self
    }

    /// The body is a JSON object.
    #[must_use]
    pub fn takes_object(mut self, object: Object, example: Value) -> Self {
        self.body = Some(Body::Json(object, example));
        self
    }

    /// The body has nothing to say: it is empty, or an empty object.
    #[must_use]
    pub fn takes_nothing(mut self) -> Self {
        self.body = Some(Body::Empty);
        self
    }

    /// Answers `status` with a `T` in JSON.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16, what: &'static str, example: Value) -> Self {
        let kind = Kind::Type(SchemaGenerator::subschema_for::<T>);
        let contents = vec![("application/json", kind, Some(example))];
        self.answers.push(Answer { status, what, contents, headers: Vec::new() });
        self
    }

    /// Answers 200 with a text of another kind.
    #[must_use]
    pub fn answers_text(mut self, content_type: &'static str, what: &'static str) -> Self {
        let schema = if content_type == "application/json" {
            json!({ "type": "object" })
        } else {
            json!({ "type": "string" })
        };
        let contents = vec![(content_type, Kind::Literal(schema), None)];
        self.answers.push(Answer { status: 200, what, contents, headers: Vec::new() });
        self
    }

    /// Answers `status` without a body.
    #[must_use]
    pub fn answers_empty(mut self, status: u16, what: &'static str) -> Self {
        self.answers.push(Answer { status, what, contents: Vec::new(), headers: Vec::new() });
        self
    }

    /// The last answer is there as `content_type`, too.
    #[must_use]
    pub fn also(mut self, content_type: &'static str, example: &str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            let kind = Kind::Literal(json!({ "type": "string" }));
            answer.contents.push((content_type, kind, Some(example.into())));
        }
        self
    }

    /// The last answer has this header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, what: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, what));
        }
        self
    }

    /// What may go wrong, besides what may go wrong everywhere.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend(codes);
        self
    }

    /// Every problem it may answer, by status.
    pub(super) fn problems(&self) -> Vec<Code> {
        let mut codes = self.refusals.clone();
        codes.extend([Code::BadRequest, Code::Internal, Code::TryAgain]);
        if matches!(self.access, Access::Key(_) | Access::Signed | Access::Here) {
            codes.push(Code::Unauthorized);
        }
        if matches!(self.access, Access::Key(_)) {
            // A site's key that another website asks with, and what is no website's address.
            codes.extend([Code::SiteMismatch, Code::InvalidRequest]);
        }
        if self.body.is_some() {
            codes.extend([Code::RequestTimeout, Code::PayloadTooLarge]);
        }
        if matches!(self.body, Some(Body::Json(..) | Body::JsonOrNothing(..) | Body::Empty))
            || self.parameters.iter().any(|one| one.place == "query")
        {
            codes.push(Code::InvalidRequest);
        }
        if self.key != Key::None {
            codes.extend([Code::IdempotencyMismatch, Code::InvalidRequest]);
        }
        Code::ALL.into_iter().filter(|code| codes.contains(code)).collect()
    }
}
