// The public tools look at the contract: @asyncapi/parser at the document, ajv at the schemas.
//   node look.mjs document ASYNCAPI.JSON         prints its messages and problems
//   node look.mjs events FOLDER < JSON           [[schema, instance], ...] -> [error or null, ...]
// Run from the folder that has node_modules.
import { createRequire } from "node:module";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));

async function document(path) {
  const { Parser } = require("@asyncapi/parser");
  const parser = new Parser();
  const { document, diagnostics } = await parser.parse(readFileSync(path, "utf8"));
  const problems = diagnostics.map((d) => ({
    severity: d.severity, code: d.code, message: d.message, path: d.path.join("/"),
  }));
  return {
    problems,
    version: document?.version(),
    channels: document?.channels().all().map((each) => each.address()) ?? [],
    operations: document?.operations().all().map((each) => each.id()) ?? [],
    messages: document?.messages().all().map((each) => each.id()) ?? [],
  };
}

function events(folder) {
  const Ajv = require("ajv/dist/2020").default;
  const ajv = new Ajv({ strict: true, allErrors: false });
  for (const name of readdirSync(folder)) {
    ajv.addSchema(JSON.parse(readFileSync(join(folder, name), "utf8")));
  }
  return JSON.parse(readFileSync(0, "utf8")).map(([schema, instance]) => {
    const validate = ajv.getSchema(schema);
    if (!validate) return `no schema ${schema}`;
    return validate(instance) ? null : ajv.errorsText(validate.errors);
  });
}

const [what, path] = process.argv.slice(2);
console.log(JSON.stringify(what === "document" ? await document(path) : events(path)));
