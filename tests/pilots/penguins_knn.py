# Multi-class; dropna in place; two-valued text by a comparison; an encoder on the target; unseeded split.

# %%
import pandas as pd
import matplotlib.pyplot as plt

# %%
penguins = pd.read_csv('penguins.csv')
penguins

# %%
penguins.isnull().sum()

# %%
penguins.dropna(inplace=True)

# %%
for species, group in penguins.groupby('species'):
    plt.scatter(group['bill_length_mm'], group['bill_depth_mm'], label=species)
plt.legend();

# %%
penguins['male'] = (penguins['sex'] == 'MALE').astype(int)
penguins['bill_ratio'] = penguins['bill_length_mm'] / penguins['bill_depth_mm']

# %%
islands = pd.get_dummies(penguins['island'])
penguins = pd.concat([penguins, islands], axis=1)
penguins.drop(['island', 'sex'], axis=1, inplace=True)

# %%
from sklearn.preprocessing import LabelEncoder, StandardScaler
y = LabelEncoder().fit_transform(penguins['species'])
X = StandardScaler().fit_transform(penguins.drop('species', axis=1))

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25)

# %%
from sklearn.neighbors import KNeighborsClassifier
error = []
for k in range(1, 15):
    knn = KNeighborsClassifier(n_neighbors=k)
    knn.fit(X_train, y_train)
    error.append((knn.predict(X_test) != y_test).mean())
plt.plot(range(1, 15), error, marker='o')

# %%
# 5 looks fine
knn = KNeighborsClassifier(n_neighbors=5)
knn.fit(X_train, y_train)
pred = knn.predict(X_test)

# %%
from sklearn.metrics import accuracy_score, classification_report
print(classification_report(y_test, pred))
accuracy_score(y_test, pred)
