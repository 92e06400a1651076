'use strict';
// Loaded by `node --require` before jsii's runtime. The index of the AWS bindings is 2,100 lines of
//     exports.s3Bucket = require("./s3-bucket");
// Each becomes a getter here, which requires its file when it is first read; the index itself is not
// compiled. An index that has any other statement is left to Node.
const fs = require('node:fs');
const Module = require('node:module');

// Below node_modules, or in jsii's cache, where version and digest come between name and file.
const INDEX = /[\\/]@cdktf[\\/]provider-aws[\\/](?:[^\\/]+[\\/]){0,2}lib[\\/]index\.js$/;
const REEXPORT = /^exports\.(\w+) = require\("(\.\/[\w./-]+)"\);$/;
// What the compiler writes around the re-exports, and comments.
const PREAMBLE = /^(?:"use strict";|Object\.defineProperty\(exports, "__esModule", .*|exports\.\w+ = (?:exports\.\w+ = )*void 0;|\/\*\*| \*.*|\/\/.*|\s*)$/;

function readReexports(filename) {
  const found = new Map();
  for (const line of fs.readFileSync(filename, 'utf8').split(/\r?\n/)) {
    const reexport = REEXPORT.exec(line);
    if (reexport) found.set(reexport[1], reexport[2]);
    else if (!PREAMBLE.test(line)) return undefined;
  }
  return found;
}

function defineOnDemand(module, reexports) {
  Object.defineProperty(module.exports, '__esModule', { value: true });
  for (const [name, request] of reexports) {
    Object.defineProperty(module.exports, name, {
      configurable: true,
      enumerable: true,
      get() {
        const value = module.require(request);
        Object.defineProperty(module.exports, name, { configurable: true, enumerable: true, value, writable: true });
        return value;
      },
    });
  }
}

const loadOrdinarily = Module._extensions['.js'];

Module._extensions['.js'] = function load(module, filename) {
  const reexports = INDEX.test(filename) ? readReexports(filename) : undefined;
  if (reexports === undefined) return loadOrdinarily(module, filename);
  return defineOnDemand(module, reexports);
};
