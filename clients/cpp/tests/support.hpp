/*
 * The harness of the C++ suites: a test is a sentence, a check prints where it stands, and each
 * program ends with the line "N passed, N failed".
 */
#ifndef SMOLWF_TESTS_SUPPORT_HPP
#define SMOLWF_TESTS_SUPPORT_HPP

#include <smolwf.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

struct test_case {
    const char *name;
    void (*run)();
};

inline std::vector<test_case> &all_tests() {
    static std::vector<test_case> tests;
    return tests;
}

inline int &faults() {
    static int count = 0;
    return count;
}

#define TEST(name)                                                                                 \
    static void name();                                                                            \
    static const int registered_##name = (all_tests().push_back({#name, name}), 0);                \
    static void name()

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        if (!(__VA_ARGS__)) {                                                                      \
            std::printf("%s:%d: %s\n", __FILE__, __LINE__, #__VA_ARGS__);                          \
            faults()++;                                                                            \
        }                                                                                          \
    } while (0)

/* A file in the folder that the runner made and takes away. */
inline std::string temp_path(const char *name) {
    const char *folder = std::getenv("TMPDIR");
    return std::string(folder == nullptr ? "/tmp" : folder) + "/" + name;
}

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

inline int run_all_tests() {
    int failed = 0;
    for (const test_case &test : all_tests()) {
        int before = faults();
        test.run();
        if (faults() == before) continue;
        std::printf("failed: %s\n", test.name);
        failed++;
    }
    std::printf("%d passed, %d failed\n", static_cast<int>(all_tests().size()) - failed, failed);
    return failed == 0 ? 0 : 1;
}

#endif
