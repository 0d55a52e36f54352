// Holds JavaScript's own arithmetic to the vectors: node reader.mjs vectors.json. It evaluates each loss in double precision from
// the program and compares it with the exact one within its bound; it also checks that a loss 1.5 times as large is refused.
import { readFileSync } from "node:fs";

export function number(hex) {
  const found = /^(-?)0x([01])\.([0-9a-f]*)p([+-]\d+)$/.exec(hex);
  if (!found) return Number(hex.replace("inf", "Infinity"));
  return (found[1] ? -1 : 1) * parseInt(found[2] + found[3], 16) * 2 ** (found[4] - 4 * found[3].length);
}

const array = ({ shape, values }) => ({ shape, values: values.map(number) });
const scalar = value => ({ shape: [], values: [value] });
const size = shape => shape.reduce((a, b) => a * b, 1);
const map = f => x => ({ shape: x.shape, values: x.values.map(f) });

// The entry of x that stands at place k of an array of a larger shape, as numpy broadcasts.
function entry(x, shape, k) {
  let at = 0, step = 1;
  for (let axis = shape.length - 1, own = x.shape.length - 1; own >= 0; axis--, own--) {
    at += (x.shape[own] === 1 ? 0 : k % shape[axis]) * step;
    step *= x.shape[own];
    k = Math.floor(k / shape[axis]);
  }
  return x.values[at];
}

const both = f => (x, y) => {
  const rank = Math.max(x.shape.length, y.shape.length), pad = s => [...Array(rank - s.length).fill(1), ...s];
  const [a, b] = [pad(x.shape), pad(y.shape)], shape = a.map((length, axis) => (length === 1 ? b[axis] : length));
  return { shape, values: Array.from({ length: size(shape) }, (_, k) => f(entry(x, shape, k), entry(y, shape, k))) };
};

function matmul(x, y) {
  const [n, m] = x.shape, p = y.shape[1], values = [];
  for (let i = 0; i < n; i++) for (let j = 0; j < p; j++)
    values.push(Array.from({ length: m }, (_, k) => x.values[i * m + k] * y.values[k * p + j]).reduce((a, b) => a + b));
  return { shape: [n, p], values };
}

function logsumexp(x, axis) {
  const [n, m] = x.shape, rows = Array.from({ length: n }, (_, i) => x.values.slice(i * m, (i + 1) * m));
  if (axis.values[0] !== 1) throw Error(`logsumexp along axis ${axis.values[0]}`);
  return { shape: [n], values: rows.map(r => { const top = Math.max(...r); return top + Math.log(r.reduce((s, v) => s + Math.exp(v - top), 0)); }) };
}

const total = x => x.values.reduce((a, b) => a + b, 0);
const OPERATIONS = {
  "+": both((a, b) => a + b), "*": both((a, b) => a * b), "/": both((a, b) => a / b), "@": matmul, logsumexp,
  "-": (x, y) => (y ? both((a, b) => a - b)(x, y) : map(a => -a)(x)), sum: x => scalar(total(x)), mean: x => scalar(total(x) / x.values.length),
  exp: map(Math.exp), log: map(Math.log), tanh: map(Math.tanh), sigmoid: map(a => 1 / (1 + Math.exp(-a))), relu: map(a => Math.max(a, 0)),
};

export function evaluate({ program, params, data }) {
  const known = Object.fromEntries(Object.entries({ ...params, ...data }).map(([name, value]) => [name, array(value)]));
  program.forEach(([operation, ...operands], k) => {
    known[`node ${k + 1}`] = OPERATIONS[operation](...operands.map(word => known[word] ?? scalar(Number(word))));
  });
  return known[`node ${program.length}`].values[0];
}

const vectors = JSON.parse(readFileSync(process.argv[2])).vectors.filter(vector => vector.dtype === "float64");
let failed = 0;
for (const vector of vectors) {
  const got = evaluate(vector), { truth: [truth], bound: [bound] } = vector.expected.loss, allowed = number(bound);
  const right = Math.abs(got - truth) <= allowed, told = Number(truth) === 0 || Math.abs(1.5 * got - truth) > allowed;
  failed += !(right && told);
  console.log(`${right && told ? "conforms" : "deviates"} ${vector.case}: got ${got}, exact ${truth}, allowed ${allowed}`);
}
console.log(`${vectors.length - failed} of ${vectors.length} losses conform`);
process.exit(vectors.length && !failed ? 0 : 1);
