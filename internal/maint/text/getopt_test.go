package text_test

import "testing"

var getoptScripts = table{
	{`getopt -o +vc:o: --longoptions check,quiet,help,version -n x -- --quiet; echo $?`, " --quiet --\n0\n"},
	{`getopt -o ab:c:: --long alpha,beta:,gamma:: -- -a x -bB -b 'B  2' -c -cC --beta=1 --beta 2 --gamma --gamma=g y -- -z "it's !"`,
		` -a -b 'B' -b 'B  2' -c '' -c 'C' --beta '1' --beta '2' --gamma '' --gamma 'g' -- 'x' 'y' '-z' 'it'\''s !'` + "\n"},
	{`getopt -o +a -- -a x -a; getopt -o -a -- -a x -a; getopt -o a -l al,all,other -- --oth --al -aa; echo $?`, " -a -- 'x' '-a'\n -a 'x' -a --\n --other --al -a -a --\n0\n"},
	{`getopt ab: -a x -b y z; getopt -u -o a -- -a 'x y'`, " -a -b y -- x z\n -a -- x y\n"},
	{`getopt -n prog -o a: -l long,lonely,value: -- -x --lo --nope --long=1 --value -a 2>&1; echo $?`, "prog: invalid option -- 'x'\nprog: option '--lo' is ambiguous; possibilities: '--long' '--lonely'\nprog: unrecognized option '--nope'\nprog: option '--long' doesn't allow an argument\n --value '-a' --\n1\n"},
	{`getopt -q -o a: -- -x -a; echo $?; getopt -T; echo $?; getopt -a -o x -l name: -- -name v -x; set -- $(getopt -o a -- -a b); echo "$1 $3"`, " --\n1\n4\n --name 'v' -x --\n-a 'b'\n"},
}

// TestGetopt has getopt as scripts of packages call it.
func TestGetopt(t *testing.T) { getoptScripts.check(t) }

func TestRealGetopt(t *testing.T) { getoptScripts.checkReal(t, "getopt") }
