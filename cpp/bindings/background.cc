// background(): operations deferred to the compute thread.
#include "napi/background.h"

#include "bindings/bindings.h"

namespace dyconv {

const OpTable& BackgroundOps() {
  static const OpTable table = {
      Bind("openBackground()", [](Call& call) { call.data.background.Open(); }),
      Bind("closeBackground()", [](Call& call) { return call.data.background.Close(call); }),
      Bind("abandonBackground()", [](Call& call) { call.data.background.Abandon(call.data); }),
      Bind("isPending(input)", [](TensorHandle* x) { return x->pending != nullptr; }),
  };
  return table;
}

}  // namespace dyconv
