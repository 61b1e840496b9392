import { cast, multiply, reshape, subtract, type Value } from '../graph/index.js';
import { MASKED } from '../models/index.js';

/** [batch, 1, 1, length] of a mask [batch, length] of 1 and 0: added to attention's scores, it hides where the mask is 0. */
export function maskBias(mask: Value): Value {
  const [batch, length] = mask.shape;
  return reshape(multiply(subtract(1, cast(mask, 'float32')), MASKED), [batch!, 1, 1, length!]);
}
