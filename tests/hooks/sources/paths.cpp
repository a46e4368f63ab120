// The ways of C++, all through libstdc++.
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

static void *volatile sink;

extern "C" {
int c_new(void *) { int *p = new int; sink = p; delete p; return 0; }
int c_new_array(void *) { char *p = new char[99]; sink = p; delete[] p; return 0; }
int c_new_nothrow(void *) { long *p = new (std::nothrow) long; sink = p; delete p; return 0; }
struct alignas(128) Wide { char body[128]; };
int c_new_aligned(void *) { Wide *p = new Wide; sink = p; delete p; return 0; }
int c_string(void *) { std::string s(100, 'x'); sink = &s[0]; return 0; }
int c_vector(void *) {
    std::vector<int> v;
    for (int i = 0; i < 100; i++) v.push_back(i);
    sink = v.data();
    return 0;
}
int c_throw(void *) {
    try {
        throw std::runtime_error("a message");
    } catch (const std::exception &) {
        return 0;
    }
    return 1;
}
}
