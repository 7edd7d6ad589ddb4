// Runs the CUDA kernels on the host and prints a line of JSON for every check; then again for each
// barrier of theirs, as if it had been forgotten.
#include "support.h"

int main() {
  check::CheckBarriers("routing", check::CheckRouting);
  check::CheckBarriers("mix", check::CheckMix);
  check::CheckBarriers("dynamic convolution", check::CheckDynamicConv);
  check::CheckBarriers("augmentation", check::CheckAugment);
  check::CheckBroken();
}
