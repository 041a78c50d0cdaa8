// What can be said about the metadata without an org.
//
//   1. Salesforce's own deploy library finds a component in every file, and each manifest lists exactly those.
//   2. Every element is one that the Metadata API's WSDL knows, with a value of its type, and none that it requires is
//      missing. Elements of one name stand together, as a deploy demands.
//   3. Every reference from one component to another leads to one that is here.
//   4. What belongs to one org is a placeholder, and a deploy replaces all of it.
//
// Usage: node check/check.mjs [--write]     --write makes the manifests instead of comparing them

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(ROOT);
// The deploy library writes a log to the home directory otherwise, and looks for settings there.
process.env.SF_DISABLE_LOG_FILE = "true";

const require = createRequire(import.meta.url);
const { ComponentSet, MetadataConverter } = require("@salesforce/source-deploy-retrieve");
const { XMLParser, XMLValidator } = require("fast-xml-parser");
const typescript = require("typescript");

const PROJECT = JSON.parse(readFileSync("sfdx-project.json", "utf8"));
const API_VERSION = PROJECT.sourceApiVersion;
const MANIFESTS = { "force-app": "package.xml", "sign-in": "sign-in.xml", "event-relay": "event-relay.xml" };
const NAMESPACE = "http://soap.sforce.com/2006/04/metadata";
// The WSDL calls it required; in a file, the file's name says it.
const SAID_BY_THE_FILE_NAME = "fullName";

const failures = [];
const check = (right, message) => {
  if (!right) failures.push(message);
  return Boolean(right);
};

const files = (directory) =>
  readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });

// ---- 1. components and manifests ------------------------------------------------------------------------------------

const manifest = (components) => {
  const types = new Map();
  for (const { fullName, type } of components) {
    types.set(type.name, [...(types.get(type.name) ?? []), fullName]);
  }
  const lines = [...types].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([type, members]) => [
    "    <types>",
    ...[...new Set(members)].sort().map((member) => `        <members>${member}</members>`),
    `        <name>${type}</name>`,
    "    </types>",
  ]);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<Package xmlns="${NAMESPACE}">`,
    ...lines,
    `    <version>${API_VERSION}</version>`,
    "</Package>",
    "",
  ].join("\n");
};

let resolved = 0;
const sets = {};
for (const { path } of PROJECT.packageDirectories) {
  const set = ComponentSet.fromSource(join(ROOT, path));
  sets[path] = set;
  const components = set.getSourceComponents().toArray();
  const all = components.flatMap((component) => [component, ...component.getChildren()]);
  // A standard object has no file of its own: only its fields are deployed.
  const deployed = all.filter(({ type, xml }) => type.name !== "CustomObject" || xml);
  // Parts of a file that stay in it (the messages of a workflow file) go with it.
  const listed = deployed.filter(({ type, parent }) => !parent || type.name === "CustomField");
  resolved += listed.length;
  const known = new Set(all.map(({ xml }) => xml && relative(ROOT, xml)));
  for (const file of files(path)) check(known.has(file), `${file}: no metadata type that Salesforce knows`);
  const wanted = manifest(listed);
  const target = join("manifest", MANIFESTS[path]);
  if (process.argv.includes("--write")) {
    mkdirSync("manifest", { recursive: true });
    writeFileSync(target, wanted);
  } else {
    const committed = existsSync(target) ? readFileSync(target, "utf8") : "";
    check(committed === wanted, `${target} does not list what is in ${path}. Run: npm run manifests`);
  }
}

// ---- 2. elements and values, by the Metadata API's own types --------------------------------------------------------

const declarations = require.resolve("@salesforce/types/metadata").replace(/\.js$/, ".d.ts");
const program = typescript.createProgram([declarations], { skipLibCheck: true, noLib: true });
const checker = program.getTypeChecker();
const exported = new Map(
  checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(declarations)))
    .map((symbol) => [symbol.name, checker.getDeclaredTypeOfSymbol(symbol)]),
);
const parser = new XMLParser({ preserveOrder: true, ignoreAttributes: false, parseTagValue: false, commentPropName: "#comment" });

/** An element as name, text and children. */
const element = (node) => {
  const name = Object.keys(node).find((key) => key !== ":@");
  const inside = node[name].filter((child) => !("#comment" in child));
  return {
    name,
    attributes: node[":@"] ?? {},
    text: inside.filter((child) => "#text" in child).map((child) => child["#text"]).join(""),
    children: inside.filter((child) => !("#text" in child)).map(element),
  };
};

const TypeFlags = typescript.TypeFlags;
// Without the standard library, arrays are read from how they are written: `Type[]`.
const declared = (property) => property.valueDeclaration.type;
const isArray = (node) => typescript.isArrayTypeNode(node);

let elements = 0;
const validate = (found, type, where) => {
  elements += 1;
  if (type.flags & TypeFlags.Boolean) {
    return check(["true", "false"].includes(found.text), `${where}: ${found.text} is neither true nor false`);
  }
  if (type.flags & TypeFlags.Number) return check(/^-?\d+(\.\d+)?$/.test(found.text), `${where}: ${found.text} is no number`);
  if (type.flags & TypeFlags.String) return check(found.children.length === 0, `${where}: text expected`);
  const literals = type.isUnion() ? type.types : [type];
  if (literals.every((each) => each.isStringLiteral())) {
    const values = literals.map((each) => each.value);
    return check(values.includes(found.text), `${where}: ${found.text} is none of ${values.slice(0, 20).join(", ")}`);
  }
  const properties = new Map(checker.getPropertiesOfType(type).map((property) => [property.name, property]));
  const seen = new Map();
  let previous;
  for (const child of found.children) {
    const here = `${where}/${child.name}`;
    const property = properties.get(child.name);
    if (!check(property, `${here}: unknown to ${checker.typeToString(type)}`)) continue;
    const written = declared(property);
    const many = isArray(written);
    check(many || !seen.has(child.name), `${here}: given twice`);
    check(!seen.has(child.name) || previous === child.name, `${here}: stands apart from the others of its name`);
    seen.set(child.name, true);
    previous = child.name;
    const inner = checker.getTypeFromTypeNode(many ? written.elementType : written);
    validate(child, checker.getNonNullableType(inner), here);
  }
  for (const [name, property] of properties) {
    const optional = property.flags & typescript.SymbolFlags.Optional || isArray(declared(property));
    check(optional || seen.has(name) || name === SAID_BY_THE_FILE_NAME, `${where}: ${name} is missing`);
  }
};

const documents = new Map();
for (const { path } of PROJECT.packageDirectories) {
  for (const file of files(path)) {
    const text = readFileSync(file, "utf8");
    const sound = XMLValidator.validate(text);
    if (!check(sound === true, `${file}: ${JSON.stringify(sound)}`)) continue;
    const root = parser.parse(text).filter((node) => !("#comment" in node) && !("?xml" in node)).map(element)[0];
    documents.set(file, root);
    check(root.attributes["@_xmlns"] === NAMESPACE, `${file}: not in the metadata namespace`);
    const type = exported.get(root.name);
    if (check(type, `${file}: ${root.name} is no type of the Metadata API`)) validate(root, type, file);
  }
}

// ---- 3. references --------------------------------------------------------------------------------------------------

const child = (parent, name) => parent?.children.find((each) => each.name === name);
const textOf = (parent, name) => child(parent, name)?.text;
const all = (type) => [...documents].filter(([, root]) => root.name === type);
const nameOf = (file) => basename(file).split(".")[0];

const messages = new Set(
  all("Workflow").flatMap(([file, root]) =>
    root.children.filter(({ name }) => name === "outboundMessages").map((each) => `${nameOf(file)}.${textOf(each, "fullName")}`),
  ),
);
for (const [file, root] of all("Flow")) {
  const action = child(root, "actionCalls");
  check(messages.has(textOf(action, "actionName")), `${file}: there is no outbound message ${textOf(action, "actionName")}`);
  check(textOf(action, "actionName").startsWith(`${textOf(child(root, "start"), "object")}.`), `${file}: another object's message`);
  check(textOf(child(child(root, "start"), "connector"), "targetReference") === textOf(action, "name"), `${file}: starts nowhere`);
  messages.delete(textOf(action, "actionName"));
}
for (const unsent of messages) check(false, `no flow sends ${unsent}`);

const customFields = new Set(
  all("CustomField").map(([file, root]) => `${basename(dirname(dirname(file)))}.${textOf(root, "fullName")}`),
);
const customObjects = new Set(all("CustomObject").map(([file]) => nameOf(file)));
for (const [file, root] of all("CustomField")) {
  check(nameOf(file) === textOf(root, "fullName"), `${file}: is called ${textOf(root, "fullName")} inside`);
  const to = textOf(root, "referenceTo");
  check(!to?.endsWith("__c") || customObjects.has(to), `${file}: there is no ${to}`);
}
const mentioned = [
  ...all("PermissionSet").flatMap(([file, root]) =>
    root.children.filter(({ name }) => name === "fieldPermissions").map((each) => [file, textOf(each, "field")]),
  ),
  ...all("Layout").flatMap(([file, root]) =>
    root.children
      .filter(({ name }) => name === "layoutSections")
      .flatMap((section) => section.children.filter(({ name }) => name === "layoutColumns"))
      .flatMap((column) => column.children.map((item) => [file, `${basename(file).split("-")[0]}.${textOf(item, "field")}`])),
  ),
  ...all("Workflow").flatMap(([file, root]) =>
    root.children.flatMap((message) =>
      message.children.filter(({ name }) => name === "fields").map((field) => [file, `${nameOf(file)}.${field.text}`]),
    ),
  ),
];
for (const [file, field] of mentioned) check(!field.endsWith("__c") || customFields.has(field), `${file}: there is no ${field}`);

const required = all("CustomField").filter(
  ([, root]) => textOf(root, "type") === "MasterDetail" || textOf(root, "required") === "true",
);
for (const [file] of required) {
  const name = `${basename(dirname(dirname(file)))}.${nameOf(file)}`;
  const granting = mentioned.find(([where, field]) => field === name && where.includes("permissionset"));
  check(!granting, `${granting?.[0]}: Salesforce refuses permissions on ${name}, which is required`);
}
for (const [file, root] of all("PermissionSet")) {
  const granted = new Set(
    root.children.filter(({ name }) => name === "objectPermissions").map((each) => textOf(each, "object")),
  );
  for (const [field, definition] of all("CustomField")) {
    const object = basename(dirname(dirname(field)));
    const master = textOf(definition, "type") === "MasterDetail" && textOf(definition, "referenceTo");
    check(!master || !granted.has(object) || granted.has(master), `${file}: ${object} needs permissions on ${master}`);
  }
}

const apps = new Set(all("ExternalClientApplication").map(([file]) => nameOf(file)));
const permissionSets = new Set(all("PermissionSet").map(([file]) => nameOf(file)));
const channels = new Set(all("PlatformEventChannel").map(([file]) => nameOf(file)));
const credentials = new Set(all("NamedCredential").map(([file]) => `callout:${nameOf(file)}`));
for (const [file, root] of documents) {
  const app = textOf(root, "externalClientApplication");
  check(!app || apps.has(app), `${file}: there is no app ${app}`);
  const permission = textOf(root, "commaSeparatedPermissionSet");
  check(!permission || permissionSets.has(permission), `${file}: there is no permission set ${permission}`);
  const channel = textOf(root, "eventChannel");
  check(!channel || channels.has(channel), `${file}: there is no channel ${channel}`);
  const credential = textOf(root, "destinationResourceName");
  check(!credential || credentials.has(credential), `${file}: there is no ${credential}`);
}

// ---- 4. placeholders ------------------------------------------------------------------------------------------------

const PLACEHOLDERS = /portico\.invalid(?!\/not-used)|PORTICO-CERTIFICATE|REGION:000000000000/g;
const values = Object.fromEntries(PROJECT.replacements.map(({ replaceWithEnv }) => [replaceWithEnv, `value-of-${replaceWithEnv}`]));
const output = join(tmpdir(), `portico-salesforce-${process.pid}`);
Object.assign(process.env, values, { SF_APPLY_REPLACEMENTS_ON_CONVERT: "true" });
let replaced = 0;
try {
  for (const [path, set] of Object.entries(sets)) {
    const directory = join(output, path);
    set.sourceApiVersion = API_VERSION;
    await new MetadataConverter().convert(set, "metadata", { type: "directory", outputDirectory: directory, genUniqueDir: false });
    for (const file of files(directory)) {
      const text = readFileSync(file, "utf8");
      check(!text.match(PLACEHOLDERS), `${relative(output, file)}: a deploy would leave ${text.match(PLACEHOLDERS)}`);
      replaced += Object.values(values).filter((value) => text.includes(value)).length;
    }
  }
} finally {
  rmSync(output, { recursive: true, force: true });
}
const placeholders = [...documents.keys()].filter((file) => readFileSync(file, "utf8").match(PLACEHOLDERS)).length;
check(replaced >= placeholders && placeholders > 0, `${placeholders} files have placeholders, ${replaced} were replaced`);

// ---------------------------------------------------------------------------------------------------------------------

if (failures.length > 0) {
  for (const failure of failures) console.error(failure);
  console.error(`Salesforce metadata: ${failures.length} findings`);
  process.exitCode = 1;
} else {
  console.log(
    `Salesforce metadata: ${documents.size} files, ${resolved} components, ${elements} elements, ` +
      `${customFields.size} custom fields, ${replaced} placeholders replaced, 0 findings`,
  );
}
