#include "protocol/option_grammar.h"

#include "base/number_text.h"

namespace larder {

namespace {

const OptionRule* find_rule(Bytes word, const OptionRule* rules, size_t rule_count) {
  for (const OptionRule* rule = rules; rule != rules + rule_count; rule++) {
    if (equals_ignore_case(word, rule->word)) return rule;
  }
  return nullptr;
}

void parse_number(ArgReader& args, OptionArgument kind, OptionValue* value) {
  if (kind == OptionArgument::kInteger) {
    const auto integer = parse_int64(value->bytes);
    if (!integer) return args.fail(kNotInteger);
    value->integer = *integer;
  } else if (kind == OptionArgument::kDouble) {
    const auto number = parse_double(value->bytes);
    if (!number) return args.fail(kNotFloat);
    value->number = *number;
  }
}

}  // namespace

void internal::parse_options(ArgReader& args, const OptionRule* rules, size_t rule_count, OptionValue* values,
                             bool stop_at_unknown) {
  uint32_t groups = 0;  // of the words so far
  bool has_numbers = false;
  while (args.ok() && !args.at_end()) {
    const OptionRule* rule = find_rule(args.peek(), rules, rule_count);
    if (rule == nullptr) {
      if (stop_at_unknown) break;
      return args.fail(kSyntax);
    }
    args.skip();
    OptionValue& value = values[rule - rules];
    // A word that is there already was compared with the others then.
    if (!value.present && (groups & rule->groups) != 0) return args.fail(kSyntax);
    groups |= rule->groups;
    has_numbers |= rule->argument == OptionArgument::kInteger || rule->argument == OptionArgument::kDouble;
    value.present = true;
    if (rule->argument != OptionArgument::kNone) value.bytes = args.take<Bytes>();  // latches kSyntax when missing
  }
  for (size_t i = 0; has_numbers && i < rule_count && args.ok(); i++) {
    if (values[i].present) parse_number(args, rules[i].argument, &values[i]);
  }
}

}  // namespace larder
