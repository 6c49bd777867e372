// Package smolwftest looks whether workflows stand what happens to them: a kill at any moment, and new
// code that meets what older code has recorded.
//
//	func TestOrder(t *testing.T) {
//		smolwftest.Crash(t, smolwftest.Case{Workflows: workflows, Workflow: "order", Args: Order{ID: 7}})
//	}
//
// [Crash] runs a workflow once undisturbed, and then once for each commit that it makes, and moment before
// and after it, with a real SIGKILL there: the process is gone with all that it had in memory, and
// another one goes on to the end. What differs from the run that was not disturbed is a [Finding], such as
// an [Effect] that happened twice.
//
// [Replay] takes runs that [smolwf.Store.Export] gave, and looks whether the workflows of today replay them:
// for a test that keeps histories of production. No step is run, so nothing of the outside is touched.
//
// # Processes
//
// The processes of Crash are the test binary itself, started anew with -test.run naming the test: TestMain
// runs in them, and the test from its beginning to its call of Crash, which there does the work and ends
// the process. So what comes before that call, such as fakes that are put in place, is there, and
// happens in each process; what must not asks [InChild]. They begin in the folder in which the test
// binary was started, with its environment and its own flags, and with a TMPDIR that goes away.
package smolwftest
