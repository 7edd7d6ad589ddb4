// Draws from the generator that libtorch has on the CPU, MT19937 (Matsumoto and Nishimura, 1998), a state at
// a time: the same numbers in the same order, several times as fast as one by one.
#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int kSize = RandomState::kSize, kShift = 397;

DYCONV_INLINE uint32_t Twisted(uint32_t upper, uint32_t lower) {
  return (((upper & 0x80000000u) | (lower & 0x7fffffffu)) >> 1) ^ ((lower & 1) * 0x9908b0dfu);
}

void NextState(uint32_t* s) {
  for (int i = 0; i < kSize - kShift; ++i) s[i] = s[i + kShift] ^ Twisted(s[i], s[i + 1]);
  for (int i = kSize - kShift; i < kSize - 1; ++i) s[i] = s[i + kShift - kSize] ^ Twisted(s[i], s[i + 1]);
  s[kSize - 1] = s[kShift - 1] ^ Twisted(s[kSize - 1], s[0]);
}

DYCONV_INLINE uint32_t Tempered(uint32_t y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

}  // namespace

void BernoulliNoise(RandomState& random, double p, float value, float* noise, int64_t count) {
  // A draw is the lower 53 of 64 bits, two numbers; as a fraction of 2^53 it is less than p where it is less
  // than this.
  const auto below = static_cast<uint64_t>(__builtin_ceil(p * 9007199254740992.0));
  uint32_t numbers[kSize + 1];
  int64_t held = 0;  // a number whose other half is still to come
  for (int64_t done = 0; done < count;) {
    if (random.next == kSize) {
      NextState(random.state);
      random.next = 0;
    }
    const int64_t taken = Min(kSize - random.next, 2 * (count - done) - held);
    for (int64_t i = 0; i < taken; ++i) numbers[held + i] = Tempered(random.state[random.next + i]);
    random.next += taken;
    const int64_t draws = (held + taken) / 2;
    for (int64_t i = 0; i < draws; ++i) {
      const uint64_t draw = static_cast<uint64_t>(numbers[2 * i] & 0x1fffffu) << 32 | numbers[2 * i + 1];
      noise[done + i] = draw < below ? value : 0.0f;
    }
    done += draws;
    held = (held + taken) % 2;
    if (held != 0) numbers[0] = numbers[2 * draws];
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
