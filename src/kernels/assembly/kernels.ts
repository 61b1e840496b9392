// Compiled by AssemblyScript to WebAssembly SIMD; see scripts/build-kernels.mjs. Pointers are byte offsets into the shared
// memory of one slab; counts are elements. Arrays start on 16 bytes and are padded to a multiple of 16 bytes, so the last
// vector may run into padding but never into a neighbour.

// The steps of optimizers, one formula each; a kernel composes them in one pass over memory.

/** A running mean: β·mean + (1−β)·x. */
// @ts-ignore: decorator
@inline
function blend(mean: v128, x: v128, beta: v128, rest: v128): v128 {
  return f32x4.add(f32x4.mul(mean, beta), f32x4.mul(x, rest));
}

/** Adam's direction (Kingma & Ba 2015): m / (√v·bias + ε). */
// @ts-ignore: decorator
@inline
function adamDirection(m: v128, v: v128, step: v128, bias: v128, epsilon: v128): v128 {
  return f32x4.div(f32x4.mul(m, step), f32x4.add(f32x4.mul(f32x4.sqrt(v), bias), epsilon));
}

/** Decoupled decay (Loshchilov & Hutter 2019), and the update taken off: p·keep − u. */
// @ts-ignore: decorator
@inline
function decayed(p: v128, keep: v128, update: v128): v128 {
  return f32x4.sub(f32x4.mul(p, keep), update);
}

/**
 * AdamW in PyTorch's order of operations:
 * m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; p ← p·decay − stepSize·m / (√v·inverseBias + ε).
 */
export function adamw(
  p: usize, g: usize, m: usize, v: usize, count: usize,
  gradientScale: f32, beta1: f32, beta2: f32, decay: f32, stepSize: f32, inverseBias: f32, epsilon: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const b2 = f32x4.splat(beta2);
  const c1 = f32x4.splat(1 - beta1);
  const c2 = f32x4.splat(1 - beta2);
  const scale = f32x4.splat(gradientScale);
  const keep = f32x4.splat(decay);
  const step = f32x4.splat(stepSize);
  const bias = f32x4.splat(inverseBias);
  const eps = f32x4.splat(epsilon);
  const end = count * 4;
  for (let i: usize = 0; i < end; i += 16) {
    const gi = f32x4.mul(v128.load(g + i), scale);
    const mi = blend(v128.load(m + i), gi, b1, c1);
    const vi = blend(v128.load(v + i), f32x4.mul(gi, gi), b2, c2);
    v128.store(m + i, mi);
    v128.store(v + i, vi);
    v128.store(p + i, decayed(v128.load(p + i), keep, adamDirection(mi, vi, step, bias, eps)));
  }
}

/**
 * Sums of g² + ε over rows [rows, columns]: `rowSums` gets those of each row, `columnSums` those of each column of these rows
 * (overwritten). What Adafactor keeps of the second moment.
 */
export function squareSums(g: usize, rows: usize, columns: usize, epsilon: f32, rowSums: usize, columnSums: usize): void {
  memory.fill(columnSums, 0, columns * 4);
  const eps = f32x4.splat(epsilon);
  const vectors = columns & ~3;
  for (let row: usize = 0; row < rows; row++) {
    const start = g + row * columns * 4;
    let a = f32x4.splat(0);
    for (let i: usize = 0; i < vectors; i += 4) {
      const x = v128.load(start + i * 4);
      const square = f32x4.add(f32x4.mul(x, x), eps);
      a = f32x4.add(a, square);
      v128.store(columnSums + i * 4, f32x4.add(v128.load(columnSums + i * 4), square));
    }
    let total = (f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1)) + (f32x4.extract_lane(a, 2) + f32x4.extract_lane(a, 3));
    for (let i = vectors; i < columns; i++) {
      const x = load<f32>(start + i * 4);
      const square = x * x + epsilon;
      total += square;
      store<f32>(columnSums + i * 4, load<f32>(columnSums + i * 4) + square);
    }
    store<f32>(rowSums + row * 4, total);
  }
}

/** Σ (g·r·c)² over rows [rows, columns], r for each row and c for each column: the square of Adafactor's update. */
export function factoredSquares(g: usize, rows: usize, columns: usize, rowFactors: usize, columnFactors: usize): f64 {
  let total: f64 = 0;
  const vectors = columns & ~3;
  for (let row: usize = 0; row < rows; row++) {
    const start = g + row * columns * 4;
    const factor = load<f32>(rowFactors + row * 4);
    const r = f32x4.splat(factor);
    let a = f32x4.splat(0);
    for (let i: usize = 0; i < vectors; i += 4) {
      const u = f32x4.mul(f32x4.mul(r, v128.load(columnFactors + i * 4)), v128.load(start + i * 4));
      a = f32x4.add(a, f32x4.mul(u, u));
    }
    let sum = (f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1)) + (f32x4.extract_lane(a, 2) + f32x4.extract_lane(a, 3));
    for (let i = vectors; i < columns; i++) {
      const u = factor * load<f32>(columnFactors + i * 4) * load<f32>(start + i * 4);
      sum += u * u;
    }
    total += <f64>sum;
  }
  return total;
}

/**
 * Adafactor (Shazeer & Stern 2018) over rows [rows, columns]: u ← g·r·c·scale; with β₁, m ← β₁m + (1−β₁)u and u ← m;
 * p ← p·decay − u. Without β₁ m is 0.
 */
export function adafactor(
  p: usize, g: usize, m: usize, rows: usize, columns: usize, rowFactors: usize, columnFactors: usize,
  scale: f32, beta1: f32, decay: f32,
): void {
  const b = f32x4.splat(beta1);
  const c = f32x4.splat(1 - beta1);
  const keep = f32x4.splat(decay);
  const size = f32x4.splat(scale);
  const vectors = columns & ~3;
  for (let row: usize = 0; row < rows; row++) {
    const start = row * columns * 4;
    const factor = load<f32>(rowFactors + row * 4);
    const r = f32x4.splat(factor);
    for (let i: usize = 0; i < vectors; i += 4) {
      const at = start + i * 4;
      let u = f32x4.mul(f32x4.mul(f32x4.mul(r, v128.load(columnFactors + i * 4)), v128.load(g + at)), size);
      if (m != 0) {
        u = blend(v128.load(m + at), u, b, c);
        v128.store(m + at, u);
      }
      v128.store(p + at, decayed(v128.load(p + at), keep, u));
    }
    for (let i = vectors; i < columns; i++) {
      const at = start + i * 4;
      let u = factor * load<f32>(columnFactors + i * 4) * load<f32>(g + at) * scale;
      if (m != 0) {
        u = load<f32>(m + at) * beta1 + u * (1 - beta1);
        store<f32>(m + at, u);
      }
      store<f32>(p + at, load<f32>(p + at) * decay - u);
    }
  }
}

/** Vectors summed in single precision before the sum is carried over to double precision. */
const BLOCK: usize = 64;

/** Σ x²: short runs in single precision, their sums in double precision. */
export function sumOfSquares(x: usize, count: usize): f64 {
  let total: f64 = 0;
  const vectors = count / 4;
  for (let block: usize = 0; block < vectors; block += BLOCK) {
    const end = min(vectors, block + BLOCK);
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let i = block;
    for (; i + 1 < end; i += 2) {
      const u = v128.load(x + i * 16);
      const v = v128.load(x + i * 16, 16);
      a = f32x4.add(a, f32x4.mul(u, u));
      b = f32x4.add(b, f32x4.mul(v, v));
    }
    if (i < end) {
      const u = v128.load(x + i * 16);
      a = f32x4.add(a, f32x4.mul(u, u));
    }
    a = f32x4.add(a, b);
    total += (<f64>f32x4.extract_lane(a, 0) + <f64>f32x4.extract_lane(a, 1)) + (<f64>f32x4.extract_lane(a, 2) + <f64>f32x4.extract_lane(a, 3));
  }
  for (let i = vectors * 4; i < count; i++) {
    const xi = <f64>load<f32>(x + i * 4);
    total += xi * xi;
  }
  return total;
}

// @ts-ignore: decorator
@inline
function mix(x: v128): v128 {
  x = i32x4.mul(v128.xor(x, i32x4.shr_u(x, 16)), i32x4.splat(0x7feb352d));
  x = i32x4.mul(v128.xor(x, i32x4.shr_u(x, 15)), i32x4.splat(<i32>0x846ca68b));
  return v128.xor(x, i32x4.shr_u(x, 16));
}

/**
 * A dropout mask: byte i is 1 with probability 1 − threshold/65536, else 0, as a function of (key, counter + i/2) alone.
 * Each 32-bit counter is hashed twice (the integer mixer "lowbias32"), keyed in between, and yields two 16-bit numbers.
 * The count is rounded up to 16.
 */
export function dropoutMask(mask: usize, count: usize, key1: i32, key2: i32, counter: i32, threshold: i32): void {
  const k1 = i32x4.splat(key1);
  const k2 = i32x4.splat(key2);
  const limit = i16x8.splat(<i16>threshold);
  const one = i8x16.splat(1);
  const four = i32x4.splat(4);
  let c = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
  for (let i: usize = 0; i < count; i += 16) {
    const a = mix(v128.xor(mix(i32x4.add(c, k1)), k2));
    c = i32x4.add(c, four);
    const b = mix(v128.xor(mix(i32x4.add(c, k1)), k2));
    c = i32x4.add(c, four);
    const kept = i8x16.narrow_i16x8_s(i16x8.ge_u(a, limit), i16x8.ge_u(b, limit));
    v128.store(mask + i, v128.and(kept, one));
  }
}

/** Σ aᵢ·bᵢ over vectors that may begin anywhere. */
export function innerProduct(a: usize, b: usize, count: usize): f32 {
  const vectors = count & ~15;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let i: usize = 0; i < vectors; i += 16) {
    const p = a + i * 4;
    const q = b + i * 4;
    s0 = f32x4.add(s0, f32x4.mul(v128.load(p), v128.load(q)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(p, 16), v128.load(q, 16)));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(p, 32), v128.load(q, 32)));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(p, 48), v128.load(q, 48)));
  }
  let total = lanesSum(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (let i = vectors; i < count; i++) total += load<f32>(a + i * 4) * load<f32>(b + i * 4);
  return total;
}

/** Σ (aᵢ − bᵢ)² over vectors that may begin anywhere. */
export function squaredDistance(a: usize, b: usize, count: usize): f32 {
  const vectors = count & ~15;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let i: usize = 0; i < vectors; i += 16) {
    const p = a + i * 4;
    const q = b + i * 4;
    const d0 = f32x4.sub(v128.load(p), v128.load(q));
    const d1 = f32x4.sub(v128.load(p, 16), v128.load(q, 16));
    const d2 = f32x4.sub(v128.load(p, 32), v128.load(q, 32));
    const d3 = f32x4.sub(v128.load(p, 48), v128.load(q, 48));
    s0 = f32x4.add(s0, f32x4.mul(d0, d0));
    s1 = f32x4.add(s1, f32x4.mul(d1, d1));
    s2 = f32x4.add(s2, f32x4.mul(d2, d2));
    s3 = f32x4.add(s3, f32x4.mul(d3, d3));
  }
  let total = lanesSum(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (let i = vectors; i < count; i++) {
    const d = load<f32>(a + i * 4) - load<f32>(b + i * 4);
    total += d * d;
  }
  return total;
}

// @ts-ignore: decorator
@inline
function lanesSum(x: v128): f32 {
  return (f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

/** What one more piece of a query and a row adds: of the negative inner product, or of the squared distance. */
// @ts-ignore: decorator
@inline
function more(sum: v128, q: v128, row: usize, metric: i32): v128 {
  if (metric == 0) return f32x4.sub(sum, f32x4.mul(q, v128.load(row)));
  const difference = f32x4.sub(q, v128.load(row));
  return f32x4.add(sum, f32x4.mul(difference, difference));
}

// @ts-ignore: decorator
@inline
function fourDistances(query: usize, table: usize, ids: usize, dimension: usize, metric: i32, out: usize): void {
  const width = dimension * 4;
  const a = table + <usize>load<u32>(ids) * width;
  const b = table + <usize>load<u32>(ids, 4) * width;
  const c = table + <usize>load<u32>(ids, 8) * width;
  const d = table + <usize>load<u32>(ids, 12) * width;
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0), b0 = f32x4.splat(0), b1 = f32x4.splat(0);
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0), d0 = f32x4.splat(0), d1 = f32x4.splat(0);
  const vectors = (dimension & ~7) * 4;
  for (let i: usize = 0; i < vectors; i += 32) {
    const q0 = v128.load(query + i);
    const q1 = v128.load(query + i, 16);
    a0 = more(a0, q0, a + i, metric);
    b0 = more(b0, q0, b + i, metric);
    c0 = more(c0, q0, c + i, metric);
    d0 = more(d0, q0, d + i, metric);
    a1 = more(a1, q1, a + i + 16, metric);
    b1 = more(b1, q1, b + i + 16, metric);
    c1 = more(c1, q1, c + i + 16, metric);
    d1 = more(d1, q1, d + i + 16, metric);
  }
  let ta = lanesSum(f32x4.add(a0, a1));
  let tb = lanesSum(f32x4.add(b0, b1));
  let tc = lanesSum(f32x4.add(c0, c1));
  let td = lanesSum(f32x4.add(d0, d1));
  for (let i = vectors; i < width; i += 4) {
    const q = load<f32>(query + i);
    if (metric == 0) {
      ta -= q * load<f32>(a + i);
      tb -= q * load<f32>(b + i);
      tc -= q * load<f32>(c + i);
      td -= q * load<f32>(d + i);
    } else {
      ta += (q - load<f32>(a + i)) * (q - load<f32>(a + i));
      tb += (q - load<f32>(b + i)) * (q - load<f32>(b + i));
      tc += (q - load<f32>(c + i)) * (q - load<f32>(c + i));
      td += (q - load<f32>(d + i)) * (q - load<f32>(d + i));
    }
  }
  store<f32>(out, ta);
  store<f32>(out, tb, 4);
  store<f32>(out, tc, 8);
  store<f32>(out, td, 12);
}

/**
 * What lies between a query and `rows` of a table of vectors that begins at `table`: into `out`, for each row number at `ids`.
 * `metric` 0: the negative inner product; 1: the squared distance. Four rows at once, since what takes time is to wait for them.
 */
export function rowDistances(query: usize, table: usize, ids: usize, rows: usize, dimension: usize, metric: i32, out: usize): void {
  const width = dimension * 4;
  const fours = rows & ~3;
  if (metric == 0) for (let i: usize = 0; i < fours; i += 4) fourDistances(query, table, ids + i * 4, dimension, 0, out + i * 4);
  else for (let i: usize = 0; i < fours; i += 4) fourDistances(query, table, ids + i * 4, dimension, 1, out + i * 4);
  for (let i = fours; i < rows; i++) {
    const row = table + <usize>load<u32>(ids + i * 4) * width;
    const distance = metric == 0 ? -innerProduct(query, row, dimension) : squaredDistance(query, row, dimension);
    store<f32>(out + i * 4, distance);
  }
}
