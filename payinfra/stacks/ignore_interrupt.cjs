'use strict';
// Loaded by `node --require` before jsii's runtime. A terminal sends Ctrl-C, and the hangup when it is closed, to
// every process of the command; jsii's would end at once, under a Python that is still using it or about to end it
// in order. So Node takes no notice: Python closes its input when all is done, and if Python is killed the input
// closes by itself.
const addListener = process.on;
const ignored = ['SIGINT', 'SIGHUP'];

for (const name of ignored) process.on(name, () => {});
process.on = function on(event, listener) {
  return ignored.includes(event) ? this : addListener.call(this, event, listener);
};
