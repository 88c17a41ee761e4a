// Makes the system calls with the numbers that it is given, each with the argument
// that follows it three times, and prints what the kernel says.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

func main() {
	for i := 1; i+1 < len(os.Args); i += 2 {
		number, _ := strconv.Atoi(os.Args[i])
		argument, _ := strconv.Atoi(os.Args[i+1])
		_, _, errno := syscall.Syscall(uintptr(number), uintptr(argument), uintptr(argument), uintptr(argument))
		fmt.Println("call", number, "errno", int(errno))
	}
}
