// What a C++ program takes from libstdc++'s image: exceptions, locales, regular
// expressions, threads.
#include <iostream>
#include <locale>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>

int main()
{
	std::string caught;
	std::thread([&] {
		try {
			throw std::runtime_error("thrown in a thread");
		} catch (const std::exception &e) {
			caught = e.what();
		}
	}).join();
	bool match = std::regex_match("trixie", std::regex("t[a-z]+e"));
	std::cout << "caught: " << caught << "\nmatch: " << match << "\nlocale: " << std::locale("").name() << std::endl;
}
