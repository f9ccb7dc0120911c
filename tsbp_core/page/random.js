// NumPy's random numbers: default_rng(seed) draws what numpy.random.default_rng(seed) draws, so that
// a seed of the page is the same seed in Python.

// The ziggurat (Marsaglia and Tsang, 2000): 256 layers of equal area under the normal curve. Layer i
// is x[i] wide, and f[i] is the curve's height there.
const ZIGGURAT = (() => {
  const bell = x => Math.exp(-0.5 * x * x);
  const r = 3.6541528853610088, area = 0.0049286732339746549;
  const x = [area / bell(r)], f = [1];
  for (let i = 255, width = r; i > 0; i--) {
    x[i] = width;
    f[i] = bell(width);
    width = Math.sqrt(-2 * Math.log(area / width + f[i]));
  }
  return {r, x, f};
})();

// NumPy's SeedSequence: eight well-mixed 32-bit words from a small whole number.
function seed_words(seed) {
  const scrambler = (constant, factor) => value => {
    value = Math.imul(value ^ constant, constant = Math.imul(constant, factor));
    return value ^ value >>> 16;
  };
  const enter = scrambler(0x43b0d7e5, 0x931e8875), leave = scrambler(0x8b51f9dd, 0x58f38ded);
  const pool = [seed, 0, 0, 0].map(enter);
  for (let from = 0; from < 4; from++)
    for (let to = 0; to < 4; to++) if (from !== to) {
      const mixed = Math.imul(0xca01f9dd, pool[to]) - Math.imul(0x4973f715, enter(pool[from])) | 0;
      pool[to] = mixed ^ mixed >>> 16;
    }
  return [...pool, ...pool].map(word => leave(word) >>> 0);
}

// PCG64 (O'Neill, 2014): at each draw a number of 128 bits is multiplied and added to. It is kept in
// eight limbs of 16 bits, the lowest first, so that all products and sums are exact.
function default_rng(seed) {
  const MULTIPLIER = [0xf645, 0x9fcc, 0xdf64, 0x4385, 0x5da4, 0x1fc6, 0xed05, 0x2360];
  const words = seed_words(seed), limbs = places => places.flatMap(i => [words[i] & 0xffff, words[i] >>> 16]);
  const start = limbs([2, 3, 0, 1]), stream = limbs([6, 7, 4, 5]);
  const increment = stream.map((limb, k) => (limb << 1 | (k ? stream[k - 1] >>> 15 : 1)) & 0xffff);
  const state = new Float64Array(8);
  let low, high;  // the last draw, 64 bits

  const carry_over = () => {
    for (let k = 0, carry = 0; k < 8; k++) {
      const sum = state[k] + carry;
      carry = Math.floor(sum / 65536);
      state[k] = sum - 65536 * carry;
    }
  };

  // Written out, as it takes most of a draw's time: each limb needs all old ones up to itself.
  function advance() {
    const [m0, m1, m2, m3, m4, m5, m6, m7] = MULTIPLIER, old = state;
    const a = old[0], b = old[1], c = old[2], d = old[3], e = old[4], f = old[5], g = old[6], h = old[7];
    state[0] = a * m0 + increment[0];
    state[1] = a * m1 + b * m0 + increment[1];
    state[2] = a * m2 + b * m1 + c * m0 + increment[2];
    state[3] = a * m3 + b * m2 + c * m1 + d * m0 + increment[3];
    state[4] = a * m4 + b * m3 + c * m2 + d * m1 + e * m0 + increment[4];
    state[5] = a * m5 + b * m4 + c * m3 + d * m2 + e * m1 + f * m0 + increment[5];
    state[6] = a * m6 + b * m5 + c * m4 + d * m3 + e * m2 + f * m1 + g * m0 + increment[6];
    state[7] = a * m7 + b * m6 + c * m5 + d * m4 + e * m3 + f * m2 + g * m1 + h * m0 + increment[7];
    carry_over();
  }

  // The state's upper half XOR its lower half, rotated by its six highest bits.
  function draw() {
    advance();
    low = (state[4] ^ state[0]) | (state[5] ^ state[1]) << 16;
    high = (state[6] ^ state[2]) | (state[7] ^ state[3]) << 16;
    const turn = state[7] >>> 10;
    const [a, b] = turn & 32 ? [high, low] : [low, high], both = turn & 31;
    low = both ? a >>> both | b << 32 - both : a;
    high = both ? b >>> both | a << 32 - both : b;
  }

  function random() {
    draw();
    return ((high >>> 0) * 2 ** 21 + (low >>> 11)) / 2 ** 53;
  }

  function standard_normal() {
    const {r, x, f} = ZIGGURAT;
    for (;;) {
      draw();
      const i = low & 0xff, sign = low & 0x100 ? -1 : 1, tail = low & 0x20000 ? -1 : 1;
      const share = ((high & 0x1fffffff) * 2 ** 23 + (low >>> 9)) / 2 ** 52, z = sign * share * x[i];
      if (share * x[i] < (i > 1 ? x[i - 1] : i ? 0 : r)) return z;  // under the curve, nearly always
      if (i > 0 && f[i] + (f[i - 1] - f[i]) * random() < Math.exp(-0.5 * z * z)) return z;
      while (i === 0) {
        const beyond = -Math.log1p(-random()) / r, depth = -Math.log1p(-random());
        if (2 * depth > beyond * beyond) return tail * (r + beyond);
      }
    }
  }

  start.forEach((limb, k) => { state[k] = limb + increment[k]; });
  carry_over();
  advance();
  return {random, normal: (mean, deviation) => mean + deviation * standard_normal()};
}
