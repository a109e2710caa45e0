//! The document as a page for people: no script, nothing loaded, every text escaped.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The page's whole style.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8886;--soft:#8882}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
code,pre{font:0.9em/1.45 ui-monospace,monospace}\
pre{background:var(--soft);padding:.75rem;overflow:auto;border-radius:.4rem}\
h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}\
h3{margin:2rem 0 .25rem;overflow-wrap:anywhere}\
h3 b{display:inline-block;min-width:3.5rem}\
h4{margin:1rem 0 .25rem}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}\
nav ul{list-style:none;padding:0;margin:.25rem 0 1rem}\
nav li{display:grid;grid-template-columns:4.5rem minmax(0,1fr);margin:.2rem 0}\
nav li b{font:0.9em/1.6 ui-monospace,monospace}\
a,code,li,summary,p{overflow-wrap:anywhere}\
pre code{overflow-wrap:normal}\
details{margin:.25rem 0}\
@media(max-width:40rem){\
h1{font-size:1.5rem}\
table,tbody,tr,th,td{display:block}\
tr{border-top:1px solid var(--line);padding:.4rem 0}\
th,td{border:0;padding:0}}";

/// The page of `document`.
pub(super) fn html(document: &Value) -> String {
    let mut page = Page { document, text: String::new() };
    page.write();
    page.text
}

struct Page<'d> {
    document: &'d Value,
    text: String,
}

/// A path, a method and its operation.
type Operation<'d> = (&'d str, &'d str, &'d Value);

impl<'d> Page<'d> {
    fn write(&mut self) {
        let info = &self.document["info"];
        let title = escape(text(&info["title"]));
        self.say(&format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}: API</title>\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>{STYLE}</style></head><body>\n\
             <h1>{title}</h1>\n<p>Version {}. {}</p>\n<p><a href=\"openapi.json\">openapi.json</a></p>\n",
            escape(text(&info["version"])),
            words(text(&info["description"])),
        ));
        let tags: Vec<&Value> = list(&self.document["tags"]).collect();
        let groups: Vec<(&Value, Vec<Operation<'d>>)> =
            tags.into_iter().map(|tag| (tag, self.operations(text(&tag["name"])))).collect();
        self.authentication();
        self.contents(&groups);
        for (tag, operations) in groups {
            let (name, about) = (escape(text(&tag["name"])), words(text(&tag["description"])));
            self.say(&format!("<h2>{name}</h2>\n<p>{about}</p>\n"));
            for operation in operations {
                self.operation(operation);
            }
        }
        self.say("<h2>Schemas</h2>\n");
        for (name, schema) in object(&self.document["components"]["schemas"]) {
            self.schema(name, schema);
        }
        self.say("</body></html>\n");
    }

    /// How a request says who asks, with a first one to try.
    fn authentication(&mut self) {
        self.say("<h2 id=\"authentication\">Authentication</h2>\n");
        let schemes = &self.document["components"]["securitySchemes"];
        self.say(&format!("<p>{}</p>\n", words(text(&schemes["key"]["description"]))));
        self.say(
            "<pre><code>curl https://wallet.example/v1/wallets/site:site-123 \\\n  \
             -H &quot;Authorization: Bearer nwk_…&quot;</code></pre>\n",
        );
    }

    /// All operations, by what they are about.
    fn contents(&mut self, groups: &[(&Value, Vec<Operation<'_>>)]) {
        self.say("<nav>\n");
        for (tag, operations) in groups {
            self.say(&format!("<h2>{}</h2>\n<ul>\n", escape(text(&tag["name"]))));
            for (path, method, operation) in operations {
                self.say(&format!(
                    "<li><b>{}</b><span><a href=\"#{}\"><code>{}</code></a> {}</span></li>\n",
                    method.to_uppercase(),
                    escape(text(&operation["operationId"])),
                    escape(path),
                    words(text(&operation["summary"])),
                ));
            }
            self.say("</ul>\n");
        }
        self.say("</nav>\n");
    }

    fn say(&mut self, html: &str) {
        self.text.push_str(html);
    }

    fn operations(&self, tag: &str) -> Vec<Operation<'d>> {
        let mut found = Vec::new();
        for (path, methods) in object(&self.document["paths"]) {
            for (method, operation) in object(methods) {
                if list(&operation["tags"]).any(|name| text(name) == tag) {
                    found.push((path.as_str(), method.as_str(), operation));
                }
            }
        }
        found
    }

    fn operation(&mut self, (path, method, operation): Operation<'_>) {
        self.say(&format!(
            "<h3 id=\"{}\"><code><b>{}</b> {}</code></h3>\n<p><strong>{}.</strong></p>\n",
            escape(text(&operation["operationId"])),
            method.to_uppercase(),
            escape(path),
            words(text(&operation["summary"]))
        ));
        for paragraph in text(&operation["description"]).split("\n\n").filter(|text| !text.is_empty()) {
            self.say(&format!("<p>{}</p>\n", words(paragraph)));
        }
        let parameters: Vec<&Value> = list(&operation["parameters"]).collect();
        if !parameters.is_empty() {
            self.say("<h4>Parameters</h4>\n<table>\n");
            for parameter in parameters {
                let required = if parameter["required"] == true { ", required" } else { "" };
                self.row(
                    text(&parameter["name"]),
                    &format!("{}{required}; {}", text(&parameter["in"]), kind(&parameter["schema"])),
                    text(&parameter["description"]),
                );
            }
            self.say("</table>\n");
        }
        for (content_type, content) in object(&operation["requestBody"]["content"]) {
            self.say(&format!("<h4>Body: <code>{}</code></h4>\n", escape(content_type)));
            self.fields(&content["schema"]);
            self.combinations(&content["schema"]);
            self.example(&content["example"]);
        }
        self.say("<h4>Answers</h4>\n");
        for (status, answer) in object(&operation["responses"]) {
            self.answer(status, answer);
        }
    }

    fn answer(&mut self, status: &str, answer: &Value) {
        let answer = match answer["$ref"].as_str() {
            Some(place) => self.document.pointer(place.trim_start_matches('#')).unwrap_or(answer),
            None => answer,
        };
        let is_problem = answer["content"].get("application/problem+json").is_some();
        if is_problem {
            let examples = &answer["content"]["application/problem+json"]["examples"];
            let codes: Vec<String> = object(examples)
                .map(|(code, _)| format!("<a href=\"docs/errors/{0}\"><code>{0}</code></a>", escape(code)))
                .collect();
            self.say(&format!("<div><code>{}</code> {}</div>\n", escape(status), codes.join(", ")));
            return;
        }
        let open = if status.starts_with('2') { " open" } else { "" };
        self.say(&format!(
            "<details{open}><summary><code>{}</code> {}</summary>\n",
            escape(status),
            words(text(&answer["description"]))
        ));
        for (content_type, content) in object(&answer["content"]) {
            self.say(&format!("<p><code>{}</code> {}</p>\n", escape(content_type), kind(&content["schema"])));
            self.example(&content["example"]);
        }
        self.say("</details>\n");
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        self.say(&format!(
            "<h3 id=\"schema-{0}\"><code>{0}</code></h3>\n<p>{1}</p>\n",
            escape(name),
            words(text(&schema["description"]))
        ));
        if schema.get("properties").is_some() {
            self.fields(schema);
        } else {
            self.say(&format!("<p>{}</p>\n", kind(schema)));
        }
    }

    fn fields(&mut self, schema: &Value) {
        let required: Vec<&str> = list(&schema["required"]).map(text).collect();
        self.say("<table>\n");
        for (name, field) in object(&schema["properties"]) {
            let rest = if required.contains(&name.as_str()) { "" } else { ", optional" };
            self.row(name, &format!("{}{rest}", kind(field)), text(&field["description"]));
        }
        self.say("</table>\n");
    }

    /// Which fields go together.
    fn combinations(&mut self, schema: &Value) {
        for (key, says) in [("oneOf", "Exactly one of these"), ("anyOf", "At least one of these")] {
            let sets: Vec<String> = list(&schema[key])
                .map(|set| {
                    let names =
                        list(&set["required"]).map(|name| format!("<code>{}</code>", escape(text(name))));
                    names.collect::<Vec<_>>().join(" with ")
                })
                .filter(|names| !names.is_empty())
                .collect();
            if !sets.is_empty() {
                self.say(&format!("<p>{says}: {}.</p>\n", sets.join(", or ")));
            }
        }
    }

    /// A row of a table; `kind` is HTML already.
    fn row(&mut self, name: &str, kind: &str, about: &str) {
        self.say(&format!(
            "<tr><th><code>{}</code></th><td>{kind}</td><td>{}</td></tr>\n",
            escape(name),
            words(about)
        ));
    }

    fn example(&mut self, example: &Value) {
        let shown = match example {
            Value::Null => return,
            Value::String(text) => text.clone(),
            json => serde_json::to_string_pretty(json).unwrap_or_default(),
        };
        self.say(&format!("<pre>{}</pre>\n", escape(&shown)));
    }
}

/// What a schema is, in HTML: a link where it has a name of its own.
fn kind(schema: &Value) -> String {
    if let Some(place) = schema["$ref"].as_str() {
        let name = escape(place.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for (key, glue) in [("anyOf", " or "), ("oneOf", " or "), ("allOf", " with ")] {
        // That a parameter may be empty goes without saying.
        let several = list(&schema[key]).filter(|kind| kind["maxLength"] != 0);
        let several: Vec<String> = several.map(kind).filter(|kind| !kind.is_empty()).collect();
        if !several.is_empty() {
            return several.join(glue);
        }
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escape(value.as_str().unwrap_or(&value.to_string())));
    }
    let names: Vec<String> =
        list(&schema["enum"]).map(|name| format!("<code>{}</code>", escape(text(name)))).collect();
    if !names.is_empty() {
        return names.join(" or ");
    }
    let mut said = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => escape(text(kind)),
    };
    if let Some(items) = schema.get("items") {
        let _ = write!(said, " of {}", kind(items));
    }
    if said.is_empty() {
        said.push_str("any JSON");
    }
    let form = if schema.get("maxLength").is_some() { "maxLength" } else { "pattern" };
    for (key, word) in [("format", ""), (form, ""), ("minimum", "from "), ("maximum", "to ")] {
        match &schema[key] {
            Value::Null => {}
            Value::String(value) => drop(write!(said, " <code>{word}{}</code>", escape(value))),
            length if key == "maxLength" => drop(write!(said, ", at most {length} characters")),
            value => drop(write!(said, " {word}{value}")),
        }
    }
    said
}

/// Plain words with `code` in them, as HTML.
fn words(plain: &str) -> String {
    let mut html = String::new();
    for (index, part) in plain.split('`').enumerate() {
        let part = escape(part);
        let (open, close) = if index % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
        html.extend([open, &part, close]);
    }
    html
}

fn escape(plain: &str) -> String {
    let mut html = String::with_capacity(plain.len());
    for letter in plain.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_the_document_says_is_text() {
        let page = html(&json!({
            "info": { "title": "<b>", "version": "1", "description": "a & \"b\"" },
            "tags": [{ "name": "T", "description": "</p><script>" }],
            "paths": { "/<x>": { "get": {
                "tags": ["T"], "summary": "<i>", "operationId": "\"><img>", "description": "see `<u>`",
                "parameters": [{ "name": "<p>", "in": "query", "schema": { "type": "string", "pattern": "^<$" } }],
                "responses": { "200": { "description": "<hr>", "content": {
                    "text/<x>": { "schema": { "enum": ["<"] }, "example": "</pre><script>" } } } }
            } } },
            "components": { "schemas": { "<S>": { "description": "<br>", "properties": { "<f>": { "$ref": "#/x/<y>" } } } } }
        }));
        for tag in
            ["<script", "<img", "<x>", "<u>", "<i>", "<hr>", "<br>", "<f>", "<y>", "<S>", "<p>&lt;p", "<b>&"]
        {
            assert!(!page.contains(tag), "{tag} in {page}");
        }
        assert!(page.contains("<code>&lt;u&gt;</code>"), "{page}");
    }

    #[test]
    fn the_page_says_how_to_ask_and_which_fields_go_together() {
        let page = html(&json!({
            "info": { "title": "T", "version": "1", "description": "programs rely on `code`" },
            "tags": [{ "name": "Spending", "description": "with `credits`" }],
            "paths": { "/x": { "post": {
                "tags": ["Spending"], "summary": "Sets `them` aside", "operationId": "post_x", "description": "",
                "requestBody": { "content": { "application/json": { "schema": {
                    "properties": { "credits": {}, "quantity": {}, "action": {} },
                    "oneOf": [{ "required": ["credits"] }, { "required": ["quantity", "action"] }]
                } } } }
            } } },
            "components": { "securitySchemes": { "key": { "description": "a `key`" } } }
        }));
        assert!(!page.contains('`'), "{page}");
        for said in [
            "Authentication</h2>\n<p>a <code>key</code></p>",
            "curl https://",
            "<h2>Spending</h2>\n<ul>",
            "Exactly one of these: <code>credits</code>, or <code>quantity</code> with <code>action</code>.",
        ] {
            assert!(page.contains(said), "{said} is not in {page}");
        }
    }
}
