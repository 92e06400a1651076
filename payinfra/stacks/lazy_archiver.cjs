'use strict';
// Loaded by `node --require` before jsii's runtime. cdktf requires archiver, and through it a hundred files of
// lodash, glob and streams, for a stack that has a folder to zip. What stands in for it here loads it then.
const Module = require('node:module');

const ARCHIVER = /[\\/]node_modules[\\/]archiver[\\/]index\.js$/;

function standIn(module, filename) {
  let loaded;
  const real = () => {
    if (loaded === undefined) {
      loaded = new Module(filename, module);
      loaded.filename = filename;
      loaded.paths = module.paths;
      loadOrdinarily(loaded, filename);
    }
    return loaded.exports;
  };
  return new Proxy(() => {}, {
    apply: (_target, that, args) => Reflect.apply(real(), that, args),
    get: (_target, name) => real()[name],
  });
}

const loadOrdinarily = Module._extensions['.js'];

Module._extensions['.js'] = function load(module, filename) {
  if (!ARCHIVER.test(filename)) return loadOrdinarily(module, filename);
  module.exports = standIn(module, filename);
};
