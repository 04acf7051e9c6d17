#include "storage/huge_page.h"

#include <atomic>

#include "storage/os_memory.h"

namespace larder {
namespace {

enum class State : int { kAsked, kMade, kUnwanted };

}  // namespace

// Belongs to the thread that makes it until it is kMade, to the HugePage from then on. An unwanted one is the maker's to drop.
struct HugePage::Order {
  std::atomic<State> state = State::kAsked;
  void* memory = nullptr;
};

HugePage::~HugePage() {
  if (order_ == nullptr || order_->state.exchange(State::kUnwanted) == State::kAsked) return;
  if (order_->memory != nullptr) unmap(order_->memory, kBytes);
  delete order_;
}

void* HugePage::take() {
  if (order_ == nullptr) {
    ask();
    return nullptr;
  }
  if (order_->state.load(std::memory_order_acquire) != State::kMade) return nullptr;
  void* memory = order_->memory;
  is_refused_ = memory == nullptr;
  delete order_;
  order_ = nullptr;
  return memory;
}

void HugePage::ask() {
  if (disposal_ == nullptr) return;
  auto* order = new Order;
  if (disposal_->assist(order, 0, make)) {
    order_ = order;
  } else {
    delete order;
  }
}

void HugePage::make(void* what) {
  auto* order = static_cast<Order*>(what);
  order->memory = map_huge_pages(kBytes);
  State asked = State::kAsked;
  if (order->state.compare_exchange_strong(asked, State::kMade)) return;
  if (order->memory != nullptr) unmap(order->memory, kBytes);
  delete order;
}

}  // namespace larder
