#pragma once

// The figures of one test as text, CSV and JSON.

#include <string>

#include "bench/load/load_options.h"
#include "bench/load/load_run.h"
#include "bench/load/workload.h"

namespace larder::load {

// As a shell says it of a program that SIGINT ended.
inline constexpr int kInterruptedExitCode = 130;

// Microseconds as milliseconds.
inline double ms(uint64_t us) { return static_cast<double>(us) / 1000; }

// In double quotes, as JSON and CSV want them.
std::string json_text(const std::string& text);
std::string csv_text(const std::string& text);

void print_csv_header();
// In the form that the options ask for, to standard output.
void print_result(const Workload& workload, const LoadOptions& options, const LoadResult& result);

}  // namespace larder::load
