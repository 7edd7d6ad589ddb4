// A module that is never loaded.
await new Promise(() => setInterval(() => {}, 1000));

export default (x) => x;
