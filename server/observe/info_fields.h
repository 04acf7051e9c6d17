#pragma once

// Fields and sections of INFO, appended to a text.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/bytes.h"

namespace larder {

class InfoFields {
 public:
  void section(Bytes title);
  void text(Bytes name, Bytes value);
  void flag(Bytes name, bool value) { text(name, value ? "1" : "0"); }
  template <std::integral T>
  void number(Bytes name, T value) {
    text(name, std::to_string(value));
  }
  // With so many decimals, and a suffix ("%").
  void decimal(Bytes name, double value, int decimals, Bytes suffix = {});
  // The number and, as `<name>_human`, the form for people ("1.50M").
  void bytes_and_human(Bytes name, uint64_t bytes);
  // Fields that are always zero, here.
  void zeros(std::initializer_list<Bytes> names) {
    for (const Bytes name : names) text(name, "0");
  }

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace larder
