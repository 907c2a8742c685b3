// Holds a Compose file, with its merges applied, against a JSON schema: a line for each mistake, and
// the status 1 if there is any.
//
//   NODE_PATH=… node compose-schema.cjs SCHEMA FILE
//
// Never here: which schema (`compose-schema`).

'use strict';

const { readFileSync } = require('node:fs');
const Ajv = require('ajv');
const { parse } = require('yaml');

const [schemaFile, file] = process.argv.slice(2);
const read = (name) => readFileSync(name, 'utf8');

// Ajv knows draft 7 by another spelling of its address.
const { $schema, ...schema } = JSON.parse(read(schemaFile));
if (!$schema.endsWith('/draft-07/schema')) {
  throw new Error(`${schemaFile} is of another draft: ${$schema}`);
}

// A keyword that it doesn't know would go unchecked; where a schema names no type is its own affair.
const ajv = new Ajv({ allErrors: true, strictSchema: true, strictTypes: false });
const validate = ajv.compile(schema);
if (!validate(parse(read(file), { merge: true }))) {
  for (const { instancePath, message, params } of validate.errors) {
    console.error(`${file}${instancePath}: ${message} ${JSON.stringify(params)}`);
  }
  process.exitCode = 1;
}
