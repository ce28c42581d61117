# Several models in a loop over a list of tuples; duplicates dropped; dummies by hand joined with concat.

# %%
import pandas as pd
import numpy as np
import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.metrics import accuracy_score, precision_score, recall_score

# %%
dataset = pd.read_csv("heart.csv")
type(dataset)

# %%
info = ["age", "1: male, 0: female", "chest pain type", "resting blood pressure", "serum cholestoral", "fasting sugar"]
for i in range(len(info)):
    print(dataset.columns[i] + ":\t\t\t" + info[i])

# %%
dataset.duplicated().sum()

# %%
dataset.drop_duplicates(inplace=True)
dataset.reset_index(drop=True, inplace=True)
dataset.shape

# %%
print(dataset.corr()["target"].abs().sort_values(ascending=False))

# %%
y = dataset["target"]
target_temp = dataset.target.value_counts()
print("Percentage of patients without heart problems: " + str(round(target_temp[0] * 100 / len(y), 2)))
print("Percentage of patients with heart problems: " + str(round(target_temp[1] * 100 / len(y), 2)))

# %%
a = pd.get_dummies(dataset['cp'], prefix="cp")
b = pd.get_dummies(dataset['thal'], prefix="thal")
frames = [dataset, a, b]
df = pd.concat(frames, axis=1)
df.head()

# %%
df = df.drop(columns=['cp', 'thal'])

# %%
# normalize
x_data = df.drop(['target'], axis=1).astype(float)
x = (x_data - np.min(x_data, axis=0)) / (np.max(x_data, axis=0) - np.min(x_data, axis=0))

# %%
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=0)

# %%
models = []
models.append(('LR', LogisticRegression()))
models.append(('SVM', SVC(kernel='linear')))
models.append(('NB', GaussianNB()))
models.append(('DT', DecisionTreeClassifier(random_state=3)))

# %%
results = []
for name, clf in models:
    clf.fit(x_train, y_train)
    Y_pred = clf.predict(x_test)
    acc = round(accuracy_score(Y_pred, y_test) * 100, 2)
    results.append([name, acc, precision_score(y_test, Y_pred), recall_score(y_test, Y_pred)])
    print("The accuracy score achieved using", name, "is: " + str(acc) + " %")

# %%
pd.DataFrame(results, columns=['model', 'accuracy', 'precision', 'recall']).sort_values('accuracy')

# %%
plt.bar([r[0] for r in results], [r[1] for r in results])
plt.ylabel("Accuracy score")
